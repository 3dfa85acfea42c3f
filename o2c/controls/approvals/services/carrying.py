"""Doing what was approved: exactly once, exactly that, in the transaction that says so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from o2c import clock, locks
from o2c.access import has_duty
from o2c.access.authorise import in_the_name
from o2c.actor import Actor, acting
from o2c.controls.approvals import registry
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.models import Decision, Request
from o2c.controls.approvals.registry import Act
from o2c.controls.approvals.selectors.eligibility import barred
from o2c.controls.approvals.selectors.facts import policy_in_force, subject_model
from o2c.controls.approvals.services.rehearsal import binding, perform
from o2c.errors import Conflict, DomainError, NotAuthorised


def complete(request: Request, *, actor: Actor) -> Request:
    """Every step is decided: carry the act out, or say why it cannot be done now and stay approved."""
    try:
        return execute(request, actor=actor)
    except DomainError as error:
        fresh: Request = locks.row(Request, request.pk)
        fresh.complete()
        fresh.decided_at = clock.now()
        fresh.problem = str(error)[:1000]
        fresh.save()
        return fresh


def carry_out(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Do what was approved and could not be done then.

    By somebody who holds the act's duty and whose hand is not in it (an act of the maker: by anybody who is
    part of the request). Raises what the act raises; the request stays approved.
    """
    with acting(actor, reason=reason):
        request: Request = locks.row(Request, pk)
        act = registry.act(request.act)
        if request.state != Request.State.APPROVED:
            raise Conflict(
                "Only an approved request is carried out", record=str(request), code="not_approved"
            )
        decided = Decision.objects.filter(request=request).values_list("decided_by_id", flat=True)
        parties = {request.requested_by_id, *decided}
        if act.runs_as == "maker" and actor.user_id not in parties:
            raise NotAuthorised("Whoever asked or decided carries it out", record=str(request))
        if act.runs_as == "approver" and (
            actor.user_id in barred(act, request.subject_id, [request.requested_by_id])
        ):
            raise NotAuthorised(
                "Who asked for it, or wrote it, does not carry it out", record=str(request),
                remedy="One of those who approved does", code="not_eligible",
            )  # fmt: skip
        return execute(request, actor=actor)


def execute(request: Request, *, actor: Actor) -> Request:
    """Do the act and compare what it did with what was approved; any difference takes everything back."""
    act: Act = registry.act(request.act)
    performer, delegated = _performer(request, act, actor)
    reason = f"{request.reason} ({request.number})"
    with _lent(performer, act.does if delegated else ""), acting(performer, reason=reason):
        locks.row(subject_model(act), request.subject_id)
        if clock.now() < (cool := cooled_at(request)):
            raise Conflict(
                f"It cools off until {cool:%Y-%m-%d %H:%M} UTC; then it is done by itself",
                record=str(request), remedy="Recall it if it is wrong", code="cooling_off",
            )  # fmt: skip
        seen = perform(act, request.subject_id, request.parameters, performer=performer, reason=reason)
        found = binding(act, request.subject_id, request.parameters, request.policy, seen)
        if found != request.digest:
            raise Conflict(
                "What it would do now is not what was approved; nothing was done", record=str(request),
                remedy="'Ask again' begins a round about the values as they are", code="stale",
            )  # fmt: skip
        request.commit()
        request.committed_at, request.result_id = clock.now(), seen.result_id
        request.committed_txid = _txid()
        request.problem = ""
        request.save()
    return request


@contextmanager
def _lent(performer: Actor, duty: str) -> Iterator[None]:
    """A delegate does what they approved with the duty of whom they stand in for; '' lends nothing."""
    token = in_the_name.set((performer.user_id, duty) if duty else None)
    try:
        yield
    finally:
        in_the_name.reset(token)


def _performer(request: Request, act: Act, actor: Actor) -> tuple[Actor, bool]:
    """Who does it: whoever asked; or the last of those who approved that holds the duty of the act.

    True beside it when nobody does but somebody for whom the last approver decided.
    """
    if act.runs_as == "maker":
        return Actor.of(request.requested_by), False
    decided = list(
        Decision.objects.filter(request=request, round=request.round, verdict__in=["approve", "carried"])
        .select_related("decided_by", "delegator")
        .order_by("-pk")
    )
    people = [Actor.of(decision.decided_by) for decision in decided]
    for who in (actor, *people):
        if has_duty(who, act.does):
            return who, False
    for decision in decided:
        if decision.delegator is not None and has_duty(Actor.of(decision.delegator), act.does):
            return Actor.of(decision.decided_by), True
    return actor, False


def cooled_at(request: Request) -> dt.datetime:
    """When the act may be done: the last approval and the hours that its policy lets pass, or the policy in
    force when that lets pass more.

    Raises Conflict for a request that nobody has approved, whatever its state says.
    """
    _, in_force = policy_in_force(registry.act(request.act))
    hours = max(rules.parse(request.policy.content).cooling_hours, in_force.cooling_hours)
    approvals = Decision.objects.filter(request=request, verdict__in=["approve", "carried"])
    last = approvals.order_by("-recorded_at").first()
    if last is None:
        raise Conflict("Nobody has approved it", record=str(request), code="not_approved")
    return last.recorded_at + dt.timedelta(hours=hours)


def _txid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        return int(cursor.fetchone()[0])
