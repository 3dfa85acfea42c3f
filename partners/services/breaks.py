"""Breaks: raised once per cause, worked by one person, closed by another, cleared when the cause is gone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from o2c import clock, ledger, locks, outbox
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput
from partners import events
from partners.models import Break
from partners.postings import write_off_entry
from partners.services import releasing

RESEND, WRITE_OFF, ACCEPT = "resend", "write_off", "accept"
RESOLUTIONS = {
    RESEND: "Send the usage hour again",
    WRITE_OFF: "Write the amount off",
    ACCEPT: "Accept the channel's figure; settled outside",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A difference found. `value` is the money at stake, positive when we stand to lose it."""

    type: str
    leg: str
    key: str
    period: str
    expected: Decimal
    actual: Decimal
    value: Decimal
    currency: str
    owner_role: str
    escalate_after: timedelta
    agreement_id: int | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    clears_itself: bool = False


def raise_many(channel_id: int, found: Sequence[Found], *, as_of: datetime) -> int:
    """Raise what is not live yet, refresh what is, and return how many are new. Inside the caller's `acting`.

    A difference within AWS's documented penny is recorded as cleared at once, so that it can be counted.
    """
    keys = [(item.type, item.key) for item in found]
    held = {
        (row.type, row.key): row
        for row in Break.objects.select_for_update()
        .filter(channel_id=channel_id, key__in=[key for _type, key in keys])
        .order_by("pk")
    }
    fresh = [item for item in found if not _stands(held.get((item.type, item.key)), item)]
    rows = [_row(channel_id, item, as_of) for item in fresh]
    Break.objects.bulk_create(rows)
    changed = [
        row for item in found if (row := held.get((item.type, item.key))) is not None and _refresh(row, item)
    ]
    Break.objects.bulk_update(changed, ["expected", "actual", "value", "evidence"])
    outbox.publish_many(
        [
            (events.BREAK_RAISED, f"partners.channel:{channel_id}", {"break_id": row.pk, "type": row.type})
            for row in rows
            if row.state == Break.State.OPEN
        ]
    )
    return len(rows)


def _stands(row: Break | None, item: Found) -> bool:
    """Whether the newest row of this key covers the difference: it is live, or closed over the same
    figures.
    """
    if row is None:
        return False
    if row.state in Break.LIVE:
        return True
    same = (row.expected, row.actual) == (item.expected, item.actual)
    return same and (item.clears_itself or row.state == Break.State.RESOLVED)


def _refresh(row: Break, item: Found) -> bool:
    if row.state not in Break.LIVE or (row.expected, row.actual, row.value) == (
        item.expected,
        item.actual,
        item.value,
    ):
        return False
    row.expected, row.actual, row.value, row.evidence = item.expected, item.actual, item.value, item.evidence
    return True


def _row(channel_id: int, item: Found, as_of: datetime) -> Break:
    return Break(
        channel_id=channel_id,
        agreement_id=item.agreement_id,
        type=item.type,
        leg=item.leg,
        key=item.key,
        period=item.period,
        expected=item.expected,
        actual=item.actual,
        value=item.value,
        currency=item.currency,
        first_seen_at=as_of,
        escalates_at=as_of + item.escalate_after,
        owner_role=item.owner_role,
        state=Break.State.CLEARED if item.clears_itself else Break.State.OPEN,
        evidence=item.evidence,
        closed_at=as_of if item.clears_itself else None,
        note="within the channel's documented penny" if item.clears_itself else "",
    )


def clear_gone(
    channel_id: int,
    leg: str,
    still: Iterable[tuple[str, str]],
    *,
    as_of: datetime,
    keep: frozenset[str] = frozenset(),
) -> int:
    """Clear live breaks of a leg that the latest comparison no longer finds. Inside the caller's `acting`.

    `keep` names types that the comparison does not judge: a person closes those.
    """
    alive = set(still)
    gone = [
        row
        for row in Break.objects.select_for_update()
        .filter(channel_id=channel_id, leg=leg, state__in=Break.LIVE)
        .exclude(type__in=keep)
        .order_by("pk")
        if (row.type, row.key) not in alive
    ]
    for row in gone:
        row.clear()
        row.closed_at = as_of
        row.note = "The difference is gone"
    Break.objects.bulk_update(gone, ["state", "closed_at", "note"])
    return len(gone)


def take(pk: int, *, actor: Actor, reason: str = "") -> Break:
    """Own the break."""
    with acting(actor, reason=reason):
        row = locks.row(Break, pk)
        require(actor, "partners.break.work", record=str(row))
        row.take()
        row.owner_id = actor.user_id
        row.save()
        return row


def wait(pk: int, *, actor: Actor, reason: str = "") -> Break:
    """A support case is open at the channel; the reason names it."""
    with acting(actor, reason=reason):
        row = locks.row(Break, pk)
        require(actor, "partners.break.work", record=str(row))
        if not reason:
            raise InvalidInput(
                "A break that waits for the channel names its case",
                record=str(row),
                remedy="Give the case number",
            )
        row.wait()
        row.owner_id = row.owner_id or actor.user_id
        row.note = reason
        row.save()
        return row


def propose(pk: int, resolution: str, *, actor: Actor, reason: str) -> Break:
    """Propose how to close the break. Raises InvalidInput for a resolution that does not fit its type."""
    with acting(actor, reason=reason):
        row = locks.row(Break, pk)
        require(actor, "partners.break.work", record=str(row))
        if resolution not in RESOLUTIONS or not reason:
            raise InvalidInput(
                f"{resolution!r} with reason {reason!r} is no resolution",
                record=str(row),
                remedy=f"Choose one of {', '.join(RESOLUTIONS)} and say why",
            )
        if resolution == RESEND and "record_id" not in row.evidence:
            raise InvalidInput("Only a usage hour can be sent again", record=str(row))
        row.propose()
        row.resolution, row.note, row.proposed_by_id = resolution, reason, actor.user_id
        row.save()
        return row


def resolve(pk: int, *, actor: Actor, reason: str = "", as_of: datetime | None = None) -> Break:
    """Carry out what a colleague proposed, and close the break. Who proposed may not close."""
    as_of = as_of or clock.now()
    with acting(actor, reason=reason):
        row = locks.row(Break, pk)
        require(actor, "partners.break.resolve", record=str(row))
        if row.proposed_by_id == actor.user_id:
            raise Conflict(
                "Who proposed the resolution may not close the break",
                record=str(row),
                remedy="Ask a colleague",
            )
        row.resolve()
        row.closed_by_id, row.closed_at = actor.user_id, as_of
        row.save()
        if row.resolution == WRITE_OFF:
            ledger.post([write_off_entry(row, as_of.date())])
        elif row.resolution == RESEND:
            _release(row, as_of)
        return row


def _release(row: Break, as_of: datetime) -> None:
    """Put a held usage hour back among those to be sent."""
    releasing.release(row.evidence["record_id"], as_of=as_of)
