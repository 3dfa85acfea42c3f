"""Asking for approval: rehearse, route, find who may decide, keep it all; taking it back; asking again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

from django.db import IntegrityError
from django.utils.module_loading import import_string

from o2c import clock, locks, outbox
from o2c.access import require
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.controls.approvals import registry
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.domain.canonical import canonical
from o2c.controls.approvals.models import Policy, Request, Round
from o2c.controls.approvals.registry import Act
from o2c.controls.approvals.selectors.eligibility import (
    Field,
    barred,
    candidates,
    holders_of,
    require_somebody,
)
from o2c.controls.approvals.selectors.facts import (
    Facts,
    facts_now,
    money_of,
    policy_in_force,
    subject_model,
)
from o2c.controls.approvals.services import rounds
from o2c.controls.approvals.services.rehearsal import Seen, binding, rehearse
from o2c.errors import Conflict, DomainError, InvalidInput, NotAuthorised, NotFound
from o2c.vault import sealed

ASKED = "approvals.request.asked"
SUBMIT = "approvals.request.submit"
MAX_WORDS = 1000  # characters of a reason or a comment


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that a round says, before anything is written."""

    policy: Policy
    asked: Sequence[rules.Asked]
    field: Field
    seen: Seen


def submit(
    code: str,
    pk: int,
    *,
    actor: Actor,
    reason: str = "",
    parameters: Mapping[str, Any] | None = None,
) -> Request:
    """Ask for the act on the subject `pk`.

    Raises InvalidInput without a reason; Conflict when a request waits already, when no policy is in force,
    when nobody could decide (naming who is excluded and why), or when the act needs no approval; and whatever
    the act itself would raise, because it is rehearsed.
    """
    with acting(actor, reason=reason):
        act = registry.act(code)
        may_ask(act, actor, act.label)
        require(actor, act.duty, record=act.label)
        subject: Any = locks.row(subject_model(act), pk)
        record = str(subject)
        if not reason.strip():
            raise InvalidInput("A request says why", record=record, fields={"reason": ["is missing"]})
        values = json.loads(canonical(parameters or {}))
        values |= {name: sealed(values[name]) for name in act.secret if name in values}
        fits(reason, record)
        live = Request.objects.filter(act=code, subject_id=pk, state__in=Request.LIVE).first()
        if live is not None:
            raise Conflict(
                f"{live.number} asks for it already", record=record, remedy="Recall it to ask for another"
            )
        requester = maker_of(actor)
        ready = prepare(act, pk, values, requester=requester, makers=_makers(actor), record=record)
        return _write(act, pk, record, values, ready, requester, reason)


def fits(words: str, record: str) -> None:
    """Refuse words that would not be kept whole: what somebody said of a request is evidence."""
    if len(words.strip()) > MAX_WORDS:
        raise InvalidInput(
            f"At most {MAX_WORDS:,} characters are kept with a request, these are {len(words.strip()):,}",
            record=record,
            remedy="Say it in fewer words, and name the document that says the rest",
            fields={"reason": ["is too long"]},
        )


def may_ask(act: Act, actor: Actor, record: str) -> None:
    """Asking is a duty of its own; whoever administers access or drafts policies may not hold it (S48)."""
    require(actor, act.duty if act.administrative else SUBMIT, record=record)


def maker_of(actor: Actor) -> User:
    """The person who asks: on whose behalf, or the account's own."""
    return User.objects.get(pk=actor.on_behalf_of_id or actor.user_id)


def _makers(actor: Actor) -> list[int]:
    return [pk for pk in (actor.user_id, actor.on_behalf_of_id) if pk]


def prepare(
    act: Act,
    pk: int,
    parameters: Mapping[str, Any],
    *,
    requester: User,
    makers: Sequence[int],
    record: str,
    under: Policy | None = None,
) -> Prepared:
    """Route and rehearse; writes nothing that stays.

    `under`: the version that a request in flight stays on, unless the one in force asks more.
    """
    policy_row, _ = policy_in_force(act)
    bar = barred(act, pk, makers)
    performer = _performer(act, requester, bar, record)
    seen = rehearse(act, pk, parameters, actor=performer) if act.proposes else None
    facts = seen.facts if seen else facts_now(act, pk)
    if under is not None and not asks_more(under, policy_row, facts.values):
        policy_row = under
    policy = rules.parse(policy_row.content)
    asked = rules.asked(policy, facts.values)
    if not asked:
        raise Conflict(
            "Needs no approval: its policy asks nobody", record=record, remedy="Do it directly",
            code="approval_not_needed",
        )  # fmt: skip
    field = candidates(act, pk, asked, bar)
    require_somebody(asked, field, record)
    if seen is None:
        seen = rehearse(act, pk, parameters, actor=performer)
    if rules.asked(policy, seen.facts.values) != asked:
        raise Conflict("The values changed while it was looked at", record=record, remedy="Ask again")
    return Prepared(policy_row, asked, field, seen)


def _performer(act: Act, requester: User, bar: Mapping[int, str], record: str) -> Actor:
    """In whose name the act is rehearsed: whoever asks, or somebody who could do it in the end."""
    if act.runs_as == "maker":
        return Actor.of(requester)
    people = holders_of(act.does)
    free = [(pk, name) for pk, name in people.items() if pk not in bar]
    if not free:
        out = ", ".join(f"{name} ({bar[pk]})" for pk, name in people.items()) or "nobody holds the duty"
        raise Conflict(
            f"Nobody could carry it out, which takes the duty {act.does}; excluded: {out}",
            record=record,
            remedy="Another person needs the duty",
            code="nobody_eligible",
        )
    return Actor(*free[0])


def _write(
    act: Act,
    pk: int,
    record: str,
    parameters: Mapping[str, Any],
    ready: Prepared,
    requester: User,
    reason: str,
) -> Request:
    amount, currency = money_of(act, ready.seen.facts)
    try:
        request = Request.objects.create(
            act=act.code,
            subject_model=act.model,
            subject_id=pk,
            subject_label=record[:200],
            parameters=parameters,
            policy=ready.policy,
            facts=ready.seen.facts.values,
            effects=ready.seen.effects,
            facts_digest=ready.seen.facts.digest,
            digest=binding(act, pk, parameters, ready.policy, ready.seen),
            amount=amount,
            currency=currency,
            requested_by=requester,
            reason=reason.strip(),
            submitted_at=clock.now(),
            excluded=sorted(ready.field.barred),
        )
    except IntegrityError as error:
        raise Conflict("A request for it waits already", record=record) from error
    rounds.write_round(request, act, ready.seen, ready.asked, ready.field, previous=None)
    announce(request, rounds.advance(request))
    return request


def announce(request: Request, step: Any) -> None:
    """Tell, after commit, those who may decide the step that waits now. The message carries a link only."""
    if step is not None:
        outbox.publish(
            type=ASKED,
            aggregate=f"approvals.request:{request.pk}",
            payload={"request_id": request.pk, "step_id": step.pk},
        )


def renew(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Begin a new round about the values as they are now; approvals that nothing made worse are kept.

    By whoever asked, an approver, or the clock. Raises Conflict when nothing changed. When nobody can be
    asked about the new values the request goes stale and says why.
    """
    with acting(actor, reason=reason):
        request: Request = locks.row(Request, pk)
        _may_renew(request, actor)
        if request.state not in Request.LIVE:
            raise Conflict(f"It is {request.get_state_display().lower()}", record=str(request))
        act = registry.act(request.act)
        locks.row(subject_model(act), request.subject_id)
        previous = Round.objects.get(request=request, number=request.round)
        makers = [request.requested_by_id]
        try:
            ready = prepare(
                act, request.subject_id, request.parameters,
                requester=request.requested_by, makers=makers, record=str(request), under=request.policy,
            )  # fmt: skip
        except DomainError as error:
            return _stale(request, str(error))
        found = binding(act, request.subject_id, request.parameters, request.policy, ready.seen)
        same = ready.policy.pk == request.policy_id
        if found == request.digest and request.state == Request.State.OPEN and same:
            raise Conflict("Nothing about it has changed", record=str(request))
        _next_round(request, act, ready, previous)
        return request


def _next_round(request: Request, act: Act, ready: Prepared, previous: Round) -> None:
    if request.state != Request.State.OPEN:
        request.reopen()
        request.lapses_at = None
    request.round += 1
    request.policy = ready.policy
    request.facts, request.effects = ready.seen.facts.values, ready.seen.effects
    request.facts_digest = ready.seen.facts.digest
    request.digest = binding(act, request.subject_id, request.parameters, request.policy, ready.seen)
    request.amount, request.currency = money_of(act, ready.seen.facts)
    request.excluded = sorted(ready.field.barred)
    request.problem = ""
    request.save()
    rounds.write_round(request, act, ready.seen, ready.asked, ready.field, previous=previous)
    only_effects = previous.facts_digest == request.facts_digest and previous.effects != request.effects
    rounds.carry_over(request, previous, effects_changed=only_effects, able=ready.field.steps)
    step = rounds.advance(request)
    if step is None:
        request.complete()
        request.save()
    announce(request, step)


def asks_more(own: Policy, other: Policy, facts: Mapping[str, Any]) -> bool:
    """Whether another version asks somebody about these facts whom a request's own version does not.

    A request in flight stays on its version unless that is so.
    """
    if other.pk == own.pk:
        return False
    asked = rules.asked(rules.parse(own.content), facts)
    before = {one.step.code: (one.step.approvers, one.step.duty) for one in asked}
    for one in rules.asked(rules.parse(other.content), facts):
        approvers, duty = before.get(one.step.code, (0, ""))
        if one.step.approvers > approvers or one.step.duty != duty:
            return True
    return False


def _stale(request: Request, why: str) -> Request:
    if request.state != Request.State.STALE:
        request.go_stale()
    request.problem = why[:1000]
    request.save()
    return request


def _may_renew(request: Request, actor: Actor) -> None:
    from o2c.access import has_duty

    duties = ("approvals.request.decide", "approvals.timer.run")
    if actor.user_id != request.requested_by_id and not any(has_duty(actor, duty) for duty in duties):
        raise NotAuthorised(
            "Whoever asked, an approver or the clock asks again", record=str(request), code="not_yours"
        )


def recall(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Take a request back. Only whoever asked can; what was decided stays on record."""
    with acting(actor, reason=reason):
        request: Request = locks.row(Request, pk)
        may_ask(registry.act(request.act), actor, str(request))
        if request.requested_by_id not in (actor.user_id, actor.on_behalf_of_id):
            raise NotAuthorised(
                "Only whoever asked recalls a request", record=str(request),
                remedy="Reject it if you may decide it", code="not_yours",
            )  # fmt: skip
        request.recall()
        request.decided_at = clock.now()
        request.save()
        return request


def preview(
    code: str, pk: int, *, requester: User, parameters: Mapping[str, Any] | None = None
) -> tuple[list[rules.Asked], Field]:
    """Who would have to approve this, and who is excluded and why; ([], …) when nobody.

    An act whose row exists only afterwards is rehearsed with `parameters`, as asking for it would be, and
    raises what it would raise. Raises Conflict without a policy, NotFound without a subject.
    """
    act = registry.act(code)
    _, policy = policy_in_force(act)
    bar = barred(act, pk, [requester.pk])
    if act.proposes:
        facts = _proposed(act, pk, parameters or {}, _performer(act, requester, bar, act.label))
    else:
        facts = facts_now(act, pk)
    asked = rules.asked(policy, facts.values)
    return asked, candidates(act, pk, asked, bar)


def _proposed(act: Act, pk: int, parameters: Mapping[str, Any], performer: Actor) -> Facts:
    """The facts of a row of the rehearsal. Raises InvalidInput for values that do not fit."""
    if not subject_model(act)._default_manager.filter(pk=pk).exists():
        raise NotFound(f"There is no {subject_model(act)._meta.verbose_name} with id {pk}")
    values: dict[str, Any] = json.loads(canonical(parameters))
    values |= {name: sealed(values[name]) for name in act.secret if name in values}
    wanted = signature(import_string(act.service))
    try:
        wanted.bind(pk, actor=performer, reason="", **values)
        for name, value in values.items():
            act.parameters.get(name, str)(value)
    except (TypeError, ValueError, ArithmeticError) as error:
        names = ", ".join(name for name in wanted.parameters if name not in ("pk", "actor", "reason"))
        raise InvalidInput(
            f"{act.label}: the values do not fit ({error})", remedy=f"It takes {names}"
        ) from error
    return rehearse(act, pk, values, actor=performer).facts
