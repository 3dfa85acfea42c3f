"""Emergency access from its asking to its review."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from o2c import clock, locks
from o2c.access import registry, require
from o2c.access.authorise import duties_of_id
from o2c.actor import Actor, acting
from o2c.controls.approvals.models import Policy
from o2c.controls.approvals.services.rounds import calendar
from o2c.controls.breakglass.lent import NOT_LENT, READING, SECOND
from o2c.controls.breakglass.models import Session
from o2c.controls.sod.borrowing import Broken, broken_by
from o2c.controls.sod.declare import declared
from o2c.controls.sod.functions import DECIDING
from o2c.errors import Conflict, InvalidInput, NotAuthorised

REVIEW_HOURS = 5 * 8  # five working days


def lendable() -> list[str]:
    """Duties that a session may name: work, never a decision about somebody's work (`DECIDING`, the steps of
    policies), nor control or reading. The table refuses the others too (guards.py).
    """
    decisions = set(SECOND).union(*(declared().functions.get(code, frozenset()) for code in DECIDING))
    for content in Policy.objects.filter(state=Policy.State.ACTIVE).values_list("content", flat=True):
        decisions |= {step["duty"] for step in content["steps"]}
    return sorted(duty for duty in registry.known() if _is_work(duty) and duty not in decisions)


def _is_work(duty: str) -> bool:
    app = duty.partition(".")[0]
    return not (app in NOT_LENT or duty.rpartition(".")[2] in READING or ".approve" in duty)


def lets_in(session: Session) -> list[Broken]:
    """Each rule of kind grant that the person would break with it and that no exception covers."""
    return broken_by(session.user_id, session.duties)


def request(*, duties: Sequence[str], hours: int, ticket: str, actor: Actor, reason: str = "") -> Session:
    """Ask for the named duties for some hours from when somebody else opens it.

    Raises InvalidInput without reason or ticket, beyond four hours, or for a duty that is not lent;
    Conflict for a duty that is held, or asked for and not answered yet.
    """
    with acting(actor, reason=reason):
        require(actor, "breakglass.session.request", record=ticket)
        if actor.on_behalf_of_id is not None:
            raise NotAuthorised("A person asks for emergency access, not an account for one", record=ticket)
        if not reason.strip() or not ticket.strip():
            raise InvalidInput("Emergency access says why, and under which ticket")
        if not 1 <= hours <= 4:
            raise InvalidInput("Emergency access lasts between one and four hours", record=ticket)
        wrong = sorted(set(duties) - set(lendable()))
        if wrong or not duties:
            raise InvalidInput(
                f"Not lent: {', '.join(wrong) or 'nothing'}", record=ticket,
                remedy="Name duties of work; decisions, policies, roles and reading are never lent",
            )  # fmt: skip
        if held := sorted(set(duties) & duties_of_id(actor.user_id)):
            raise Conflict(f"You hold {', '.join(held)} already", record=ticket)
        asked = Session.objects.filter(
            user=actor.user_id, state=Session.State.REQUESTED, duties__overlap=list(duties)
        ).first()
        if asked is not None:
            raise Conflict(
                f"{asked.number} asks for {', '.join(sorted(set(duties) & set(asked.duties)))} already",
                record=ticket,
                remedy="Wait until somebody opens or refuses it",
            )
        return Session.objects.create(
            user_id=actor.user_id,
            duties=sorted(set(duties)),
            hours=hours,
            ticket=ticket.strip()[:60],
            reason=reason.strip(),
        )


def authorise(pk: int, *, actor: Actor, reason: str = "") -> Session:
    """Open it from now on. Not by whoever asked.

    Raises NotAuthorised where it would let one person break a rule of segregation, unless an exception to
    that rule covers them. The database says when it begins and ends.
    """
    with acting(actor, reason=reason):
        row = _of_another(pk, "breakglass.session.authorise", actor)
        if broken := lets_in(row):
            raise NotAuthorised(
                f"{broken[0].rule}: {row.user} would hold both {broken[0].first} and {broken[0].second}",
                record=str(row), code="segregation",
                remedy="Lend it to somebody else, or agree to an exception first"
                f" ({', '.join(sorted({one.rule for one in broken}))})",
            )  # fmt: skip
        row.authorise()
        now = clock.now()
        row.authorised_by_id = actor.user_id
        row.opened_at, row.ends_at = now, now + dt.timedelta(hours=row.hours)
        row.review_due_at = calendar().after(row.ends_at, REVIEW_HOURS)
        row.save()
        row.opened_at, row.ends_at = Session.objects.values_list("opened_at", "ends_at").get(pk=pk)
        return row


def refuse(pk: int, *, actor: Actor, reason: str = "") -> Session:
    """Say no; the request stays on record."""
    with acting(actor, reason=reason):
        row = _of_another(pk, "breakglass.session.authorise", actor)
        row.refuse()
        row.authorised_by_id = actor.user_id
        row.save()
        return row


def end(pk: int, *, actor: Actor, reason: str = "") -> Session:
    """End it before its time. By whoever uses it; by itself it ends when its hours are over."""
    with acting(actor, reason=reason):
        row: Session = locks.row(Session, pk)
        require(actor, "breakglass.session.request", record=str(row))
        if actor.user_id != row.user_id:
            raise NotAuthorised("Whoever uses it ends it", record=str(row), code="not_yours")
        row.end()
        now = clock.now()
        row.ends_at = min(now, row.ends_at or now)
        row.save()
        return row


def review(pk: int, *, finding: str, actor: Actor, reason: str = "") -> Session:
    """Say what was found. By somebody who neither used nor opened it, once it is over.

    Raises Conflict while it is open, NotAuthorised for the two, InvalidInput without words.
    """
    with acting(actor, reason=reason):
        row = _of_another(pk, "breakglass.session.review", actor)
        if actor.user_id == row.authorised_by_id:
            raise NotAuthorised("S51: who opened it does not review it", record=str(row), code="segregation")
        if row.state == Session.State.OPEN and (row.ends_at is None or row.ends_at > clock.now()):
            raise Conflict("It is still open", record=str(row), remedy="Review it once it has ended")
        if finding not in Session.Finding.values or not reason.strip():
            raise InvalidInput("A review says what was found, and why", record=str(row))
        row.review()
        row.reviewed_by_id, row.reviewed_at = actor.user_id, clock.now()
        row.finding, row.review_note = finding, reason.strip()
        row.save()
        return row


def require_none_open(record: str) -> None:
    """Refuse while a session waits for its review: books are not closed over it."""
    waiting = list(Session.objects.unreviewed().order_by("pk")[:5])
    if waiting:
        raise Conflict(
            f"Emergency access {', '.join(row.number for row in waiting)} is not reviewed",
            record=record,
            remedy="Somebody who neither used nor opened it reviews it first",
            code="breakglass_unreviewed",
        )


def _of_another(pk: int, duty: str, actor: Actor) -> Session:
    row: Session = locks.row(Session, pk)
    require(actor, duty, record=str(row))
    if row.user_id in (actor.user_id, actor.on_behalf_of_id):
        raise NotAuthorised(
            "S51: who uses it neither opens nor reviews it", record=str(row), code="segregation"
        )
    return row
