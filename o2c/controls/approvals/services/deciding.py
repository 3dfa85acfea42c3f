"""Saying yes, no, or asking a question: about exactly the values that were shown."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError

from o2c import clock, locks
from o2c.access import require
from o2c.access.client import signed_in
from o2c.actor import Actor, acting, current_trace
from o2c.controls.approvals import registry
from o2c.controls.approvals.domain import policy as rules
from o2c.controls.approvals.domain.canonical import digest as canonical_digest
from o2c.controls.approvals.models import Decision, Request, Round, Step
from o2c.controls.approvals.models.request import DUTY_DECIDE
from o2c.controls.approvals.selectors.eligibility import Person, barred, candidates
from o2c.controls.approvals.selectors.facts import facts_of, policy_in_force, subject_model
from o2c.controls.approvals.services import carrying, rounds, submitting
from o2c.errors import Conflict, InvalidInput, NotAuthorised


def approve(pk: int, *, actor: Actor, reason: str = "", digest: str = "") -> Request:
    """Approve the step that waits, with the reason. The last approval carries the act out in the same
    transaction.

    `digest`, when given, is the one of the page that the person looked at. Raises NotAuthorised for whoever
    may not decide, with the reason; InvalidInput without a reason of theirs; Conflict (stale) when the values
    are not those of the request any more.
    When the act cannot be done now, the request stays approved and says why.
    """
    with acting(actor, reason=reason):
        request, step, person = _at_hand(pk, actor, digest)
        _said(reason, "An approval says why", str(request))
        _unchanged(request)
        _record(request, step, person, Decision.Verdict.APPROVE, reason)
        waiting = rounds.advance(request)
        if waiting is not None:
            submitting.announce(request, waiting)
            return request
        request.decided_at = clock.now()
        return carrying.complete(request, actor=actor)


def reject(pk: int, *, actor: Actor, reason: str = "", digest: str = "") -> Request:
    """Refuse the request, with the reason. One no ends it; the record of it stays for ever."""
    with acting(actor, reason=reason):
        request, step, person = _at_hand(pk, actor, digest)
        _said(reason, "A rejection says why", str(request))
        _record(request, step, person, Decision.Verdict.REJECT, reason)
        request.reject()
        request.decided_at = clock.now()
        request.save()
        return request


def ask(pk: int, *, actor: Actor, reason: str = "") -> Decision:
    """Ask whoever wants it a question; the clock goes on."""
    with acting(actor, reason=reason):
        request, step, person = _at_hand(pk, actor, "")
        _said(reason, "A question says what", str(request))
        return _record(request, step, person, Decision.Verdict.QUESTION, reason)


def answer(pk: int, *, actor: Actor, reason: str = "") -> Decision:
    """Answer the questions that were asked."""
    with acting(actor, reason=reason):
        request: Request = locks.row(Request, pk)
        submitting.may_ask(registry.act(request.act), actor, str(request))
        if request.requested_by_id not in (actor.user_id, actor.on_behalf_of_id):
            raise NotAuthorised("Whoever asked for it answers", record=str(request), code="not_yours")
        _said(reason, "An answer says what", str(request))
        me = Person(actor.user_id, actor.label)
        return _record(request, None, me, Decision.Verdict.ANSWER, reason)


def approve_many(pks: list[int], *, actor: Actor, reason: str = "") -> dict[int, str]:
    """Approve requests of one act, each with its own digest and evidence, up to the limits of a batch.

    `reason` is said of each. Answers those that dropped out, with why: what changed meanwhile, or was decided
    by somebody else, keeps nobody from the rest. Raises InvalidInput without a reason; Conflict when they are
    of different acts, or beyond a limit.
    """
    with acting(actor, reason=reason):
        _said(reason, "An approval says why", f"{len(pks)} requests")
        found = list(Request.objects.filter(pk__in=pks).order_by("pk"))
        batch_problem(found)
        dropped: dict[int, str] = {}
        for request in found:
            try:
                approve(request.pk, actor=actor, reason=reason)
            except (Conflict, NotAuthorised) as error:
                dropped[request.pk] = str(error)
        return dropped


BATCH_ITEMS = 50
BATCH_AMOUNT = 250_000
ITEM_AMOUNT = 10_000


def batch_problem(found: list[Request]) -> None:
    """Refuse a batch that is not alike, or too large for one look (functional money)."""
    if len({(request.act, request.currency) for request in found}) > 1:
        raise Conflict("A batch holds one kind of request in one currency", remedy="Filter by kind first")
    if unpriced := [request for request in found if request.amount is None]:
        raise Conflict(
            f"What has no amount is decided one by one: {', '.join(map(str, unpriced[:5]))}",
            remedy="Open each and look at what it would do",
        )
    amounts = [abs(request.amount) for request in found if request.amount is not None]
    if len(found) > BATCH_ITEMS or sum(amounts) > BATCH_AMOUNT or any(a > ITEM_AMOUNT for a in amounts):
        raise Conflict(
            f"A batch is at most {BATCH_ITEMS} requests, {ITEM_AMOUNT:,} each and {BATCH_AMOUNT:,} in all",
            remedy="Open the large ones and look at each",
        )


def _at_hand(pk: int, actor: Actor, digest: str) -> tuple[Request, Step, Person]:
    """The locked request, the step that waits, and as whom the actor decides it. Raises when they may not."""
    require(actor, DUTY_DECIDE, record=f"request {pk}")
    request: Request = locks.row(Request, pk)
    if request.state != Request.State.OPEN:
        raise Conflict(
            f"It is {request.get_state_display().lower()}", record=str(request),
            remedy="Somebody decided before you; reload the page", code="decided",
        )  # fmt: skip
    if digest and digest != request.digest:
        raise Conflict(
            "You looked at other values than those of this round", record=str(request),
            remedy="Reload the page and look again", code="stale",
        )  # fmt: skip
    step = waiting_step(request)
    return request, step, eligible(request, step, actor)


def waiting_step(request: Request) -> Step:
    step = (
        request.steps.filter(round=request.round, done_at__isnull=True, opened_at__isnull=False)
        .order_by("position")
        .first()
    )
    if step is None:
        raise Conflict("No step waits", record=str(request))
    return step


def eligible(request: Request, step: Step, actor: Actor) -> Person:
    """As whom the actor may decide this step. Raises NotAuthorised with the reason why not."""
    if actor.on_behalf_of_id is not None:
        raise NotAuthorised(
            "A decision is made by a person, not by an account that acts for one", record=str(request)
        )
    act = registry.act(request.act)
    said = rules.parse(request.policy.content).step(step.code)
    bar = barred(act, request.subject_id, [request.requested_by_id])
    bar |= {pk: "asked for it, or wrote what is to be approved" for pk in request.excluded if pk not in bar}
    found = candidates(act, request.subject_id, [rules.Asked(said, ())], bar).steps[step.code]
    if (
        Decision.objects.filter(request=request, round=request.round, decided_by_id=actor.user_id)
        .filter(verdict__in=rounds.KEPT)
        .exists()
    ):
        raise NotAuthorised("One person decides one step of a request", record=str(request))
    for person in found.eligible:
        if person.user_id == actor.user_id:
            return person
    why = next((one.why for one in found.excluded if one.user_id == actor.user_id), "")
    why = why or bar.get(actor.user_id, "") or f"does not hold the duty {step.duty}"
    others = ", ".join(map(str, found.eligible)) or "nobody at present"
    raise NotAuthorised(
        f"{actor.label} may not decide this: {why}",
        record=str(request),
        remedy=f"It can be decided by {others}.",
        code="not_eligible",
    )


def _unchanged(request: Request) -> None:
    """Raise Conflict when the controlled row is no longer what the request says."""
    act = registry.act(request.act)
    locks.row(subject_model(act), request.subject_id)
    in_force, _ = policy_in_force(act)
    if submitting.asks_more(request.policy, in_force, request.facts):
        raise Conflict(
            f"A stricter policy came into force since it was asked ({in_force}); nothing was approved",
            record=str(request),
            remedy="'Ask again' begins a round under it; the clock does it within minutes",
            code="stale",
        )
    if act.proposes:
        return  # the values exist only once the act is done: compared then
    now = facts_of(act, [request.subject_id]).get(request.subject_id)
    if now is None or now.digest != request.facts_digest:
        raise stale(request)


def stale(request: Request) -> Conflict:
    return Conflict(
        "The values have changed since this was asked; nothing was approved",
        record=str(request),
        remedy="'Ask again' begins a round about the values as they are; the clock does it within minutes",
        code="stale",
    )


def _said(reason: str, rule: str, record: str) -> None:
    """Refuse silence: whoever reads a decision later wants to know what it stood on."""
    if not reason.strip():
        raise InvalidInput(
            rule, record=record, remedy="Write the reason: what you looked at and what it stands on",
            fields={"reason": ["is missing"]}, code="reason_missing",
        )  # fmt: skip


def evidence(request: Request) -> dict[str, Any]:
    """What was on the screen of the round that is decided: its digest, the clause, who could decide."""
    shown = Round.objects.get(request=request, number=request.round)
    return {
        "policy": str(shown.policy),
        "clause": shown.clause,
        "eligible": shown.eligible,
        "excluded": shown.exclusions,
        "screen": canonical_digest(
            {"facts": shown.facts, "effects": shown.effects, "changes": shown.changes, "clause": shown.clause}
        ),
    }


def _record(request: Request, step: Step | None, person: Person, verdict: str, comment: str) -> Decision:
    submitting.fits(comment, str(request))
    trace = current_trace()
    context: dict[str, Any] = {
        "request_id": trace.request_id if trace else "",
        "round": evidence(request) if verdict in rounds.DECIDED else {},
        **{name: value for name, value in signed_in().items() if value},
    }
    try:
        return Decision.objects.create(
            request=request,
            step=step,
            round=request.round,
            step_code=step.code if step else "",
            verdict=verdict,
            decided_by_id=person.user_id,
            delegation_id=person.delegation_id,
            delegator_id=person.delegator_id,
            facts_digest=request.facts_digest,
            digest=request.digest,
            comment=comment.strip(),
            context=context,
        )
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") != "OC006":
            raise
        raise NotAuthorised(str(error.__cause__).splitlines()[0], record=str(request)) from error
