"""Readings that are kept: of bank data in clear, and of lists as a whole."""

from __future__ import annotations

from o2c import clock
from o2c.access.models import ReadEvent
from o2c.actor import Actor, acting, current_trace

REVEAL, EXPORT = ReadEvent.Kind.REVEAL, ReadEvent.Kind.EXPORT
FILE, API = ReadEvent.Kind.FILE, ReadEvent.Kind.API


def record(kind: str, what: str, rows: int, *, actor: Actor, reason: str = "") -> ReadEvent:
    """Remember that the actor read `rows` records of `what`, and why; in the transaction of the reading."""
    with acting(actor, reason=reason):
        trace = current_trace()
        return ReadEvent.objects.create(
            at=clock.now(),
            kind=kind,
            what=what[:200],
            rows=rows,
            reader=actor.label[:320],
            on_behalf_of_id=actor.on_behalf_of_id,
            why=trace.reason if trace else reason,
            request_id=trace.request_id[:200] if trace else "",
        )
