"""The timeline of a record: its history, that of its parts, state changes, domain events and deliveries,
merged.

Every source is one query with a limit, whatever the length of the history; the page says when there is more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from o2c.console import format as fmt
from o2c.console.diffs import Names, Version, versions
from o2c.console.registry import TimelineEntry
from o2c.outbox.models import Delivery, DomainEvent

PER_SOURCE = 100

KINDS = {
    "change": ("Changes", "edit"),
    "state": ("States", "flag"),
    "event": ("Events", "bolt"),
    "delivery": ("Deliveries", "move_to_inbox"),
    "job": ("Jobs", "manufacturing"),
    "message": ("Messages", "mail"),
    "approval": ("Approvals", "verified"),
}


@dataclass(frozen=True, slots=True)
class Timeline:
    entries: Sequence[TimelineEntry]
    kinds: Sequence[tuple[str, str, str, int]]  # (kind, label, icon, how many)
    cut: bool  # there is more than is shown


def timeline_of(admin: Any, obj: Any, *, kind: str = "", limit: int = PER_SOURCE) -> Timeline:
    """Everything that happened to the record, newest first; `kind` keeps one kind only."""
    histories = [("", _own_history(obj, limit))]
    histories += [
        (what, list(rows.order_by("-history_id")[:limit])) for what, rows in admin.timeline_related(obj)
    ]
    names = Names([row for _, rows in histories for row in rows])
    sources = [
        *(_versions(what, rows, names) for what, rows in histories),
        _fact(obj),
        _events(admin.timeline_aggregates(obj), limit),
        list(admin.timeline_sources(obj)),
    ]
    merged = sorted((e for entries in sources for e in entries), key=lambda e: e.at, reverse=True)
    counts: dict[str, int] = {}
    for entry in merged:
        counts[entry.kind] = counts.get(entry.kind, 0) + 1
    kinds = [(k, label, icon, counts[k]) for k, (label, icon) in KINDS.items() if k in counts]
    chosen = _folded([e for e in merged if not kind or e.kind == kind])
    cut = len(chosen) > limit or any(len(entries) >= limit for entries in sources)
    return Timeline(chosen[:limit], kinds, cut)


def _folded(entries: Sequence[TimelineEntry]) -> list[TimelineEntry]:
    """Neighbours that say the same (seventeen lines changed in one act) are one entry with their number."""
    folded: list[TimelineEntry] = []
    for entry in entries:
        last = folded[-1] if folded else None
        if last is not None and _same(last, entry):
            folded[-1] = replace(last, count=last.count + 1, diffs=())
        else:
            folded.append(entry)
    return folded


def _same(one: TimelineEntry, other: TimelineEntry) -> bool:
    said = ("kind", "title", "actor", "reason", "request_id", "body", "href")
    close = abs((one.at - other.at).total_seconds()) < 60
    return close and all(getattr(one, name) == getattr(other, name) for name in said)


def _own_history(obj: Any, limit: int) -> list[Any]:
    if not hasattr(type(obj), "history"):
        return []
    rows = type(obj).history.filter(**{obj._meta.pk.attname: obj.pk}).order_by("-history_id")
    return list(rows[:limit])


def _fact(obj: Any) -> list[TimelineEntry]:
    """A fact has no history, only its beginning."""
    at = getattr(obj, "recorded_at", None)
    if at is None or hasattr(type(obj), "history"):
        return []
    return [
        TimelineEntry(
            at=at, kind="change", title="Recorded", actor=_user_name(getattr(obj, "actor_id", None))
        )
    ]


def _user_name(user_id: int | None) -> str:
    from o2c.access.models import User

    user = User.objects.filter(pk=user_id).first() if user_id else None
    return str(user) if user is not None else "system"


def _versions(what: str, rows: Sequence[Any], names: Names) -> list[TimelineEntry]:
    from o2c.states import state_field

    field = state_field(rows[0].instance_type) if rows else None
    return [_entry(version, what, field.name if field else "") for version in versions(rows, names)]


def _entry(version: Version, what: str, state_name: str) -> TimelineEntry:
    """A row of history as an entry; a change of state is an entry of its own kind."""
    row = version.row
    state = next((c for c in version.changes if c.name == state_name), None)
    subject = f"{what} {getattr(row, 'number', '') or ''}".strip() if what else ""
    if state is not None and version.kind == "changed":
        title, kind = f"{fmt_state(state.before)} → {fmt_state(state.after)}", "state"
    else:
        title, kind = version.kind.capitalize(), "change"
    entry = TimelineEntry(
        at=row.history_date,
        kind=kind,
        title=f"{subject}: {title}" if subject else title,
        actor=row.history_actor,
        reason=row.history_change_reason or "",
        request_id=row.history_request_id or "",
        diffs=[c.texts for c in version.changes if c is not state and version.kind == "changed"],
    )
    if row.history_on_behalf_of_id:
        return replace(entry, body=f"on behalf of {_user_name(row.history_on_behalf_of_id)}")
    return entry


def fmt_state(value: Any) -> str:
    from o2c.console.diffs import plain

    return plain(value)


def _events(aggregates: list[str], limit: int) -> list[TimelineEntry]:
    """Domain events of the record,
    each with its deliveries as one entry per consumer that has something to say.
    """
    events = list(
        DomainEvent.objects.filter(aggregate__in=aggregates)
        .prefetch_related("deliveries")
        .order_by("-id")[:limit]
    )
    entries = []
    for event in events:
        entries.append(
            TimelineEntry(
                at=event.recorded_at,
                kind="event",
                title=happened(event.type),
                machine=True,
                request_id=event.request_id,
                href=fmt.admin_url(event),
                body=_delivered(event.deliveries.all()),
            )
        )
        entries += [_delivery(event, d) for d in event.deliveries.all() if d.state != Delivery.State.DONE]
    return entries


def _delivered(deliveries: Any) -> str:
    done = [d.consumer for d in deliveries if d.state == Delivery.State.DONE]
    return f"handled by {', '.join(sorted(map(_handler, done)))}" if done else ""


def happened(code: str) -> str:
    """'orders.order.activated' → 'Order activated'."""
    return fmt.label(code.partition(".")[2].replace(".", " "))


def _handler(consumer: str) -> str:
    """'revenue.contracts' → 'revenue contracts'."""
    return consumer.replace(".", " ").replace("_", " ")


def _delivery(event: DomainEvent, delivery: Delivery) -> TimelineEntry:
    stuck = delivery.state == Delivery.State.STUCK
    title = (
        f"{_handler(delivery.consumer)}: {'stuck' if stuck else 'waiting'} after {delivery.attempts} attempts"
    )
    return TimelineEntry(
        at=delivery.due_at if stuck else event.recorded_at,
        kind="delivery",
        title=title,
        machine=True,
        body=delivery.error.strip().splitlines()[-1] if delivery.error.strip() else "",
        href=fmt.admin_url(delivery),
    )
