"""Retractions: a metering system takes back events that it sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from billing.models import UsageSource
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput, NotFound

LARGEST = 1000

# What each retraction names, and what is known of it already. `other` is an earlier retraction under this id,
# `by` the one that took the event back.
JUDGE = """
SELECT g.n, g.id, g.retracts, e.id, o.event_id, r.retraction_id
FROM jsonb_to_recordset(%(rows)s::jsonb) AS g(n int, id text, retracts text)
LEFT JOIN LATERAL (SELECT k.id FROM billing_usageevent k
                   WHERE k.source_id = %(source)s AND k.event_id = g.retracts LIMIT 1) e ON true
LEFT JOIN billing_usageretraction o ON o.source_id = %(source)s AND o.retraction_id = g.id
LEFT JOIN billing_usageretraction r ON r.event_id = e.id
ORDER BY g.n
"""

# The retractions, and the hours without their events; an hour without any event is no row.
STORE = """
WITH stored AS (
    INSERT INTO billing_usageretraction (source_id, retraction_id, event_id)
    SELECT %(source)s, * FROM unnest(%(ids)s::text[], %(events)s::bigint[])
    RETURNING event_id
), less AS (
    SELECT e.line_id, e.dimensions_id, date_trunc('hour', e.occurred_at, o.time_zone) AS hour,
           sum(e.quantity) AS quantity, count(*) AS events
    FROM stored s JOIN billing_usageevent e ON e.id = s.event_id
    JOIN orders_orderline l ON l.id = e.line_id JOIN orders_order o ON o.id = l.order_id
    GROUP BY 1, 2, 3
)
UPDATE billing_usagehour h
SET quantity = h.quantity - less.quantity, event_count = h.event_count - less.events
FROM less WHERE (h.line_id, h.dimensions_id, h.hour) = (less.line_id, less.dimensions_id, less.hour)
"""
EMPTIED = """
DELETE FROM billing_usagehour h USING billing_usageevent e
WHERE e.id = ANY(%(events)s) AND h.line_id = e.line_id AND h.dimensions_id = e.dimensions_id
  AND h.event_count = 0
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """received = retracted + duplicate."""

    received: int
    retracted: int
    duplicate: int


def retract(
    source_code: str, items: Sequence[Mapping[str, Any]], *, actor: Actor, reason: str = ""
) -> Outcome:
    """Take back events of a source: each item is {"id": own id, "retracts": id of the event}.

    All or nothing. Sent again it changes nothing. What was billed is credited by the next run, and grants are
    restored. Raises NotFound for an event that is not stored (send the retraction after it), Conflict for an
    id that took back another event, or an event that another retraction took back.
    """
    rows = _rows(items)
    with acting(actor, reason=reason or "Usage retracted"):
        require(actor, "billing.usage.retract", record=source_code)
        # One retraction of a source after the other: they are rare, and two may name the same event.
        source = UsageSource.objects.select_for_update().filter(code=source_code).first()
        if source is None:
            raise NotFound(f"No usage came from {source_code!r}", remedy="Name the source of the events")
        with connection.cursor() as cursor:
            cursor.execute(JUDGE, {"rows": json.dumps(rows), "source": source.pk})
            judged = cursor.fetchall()
            fresh = dict(_fresh(judged))
            values: dict[str, Any] = {"source": source.pk, "ids": list(fresh), "events": list(fresh.values())}
            if fresh:
                cursor.execute(STORE, values)
                cursor.execute(EMPTIED, values)
        return Outcome(len(rows), len(fresh), len(rows) - len(fresh))


def _rows(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if not items or len(items) > LARGEST:
        raise InvalidInput(f"Send between 1 and {LARGEST} retractions at once", code="batch_too_large")
    rows: dict[str, dict[str, Any]] = {}
    for n, item in enumerate(items, start=1):
        own, retracts = item.get("id"), item.get("retracts")
        if not (isinstance(own, str) and isinstance(retracts, str) and 0 < len(own) <= 200 and retracts):
            raise InvalidInput(f"Retraction {n} needs an id and the id of the event that it retracts")
        if own in rows and rows[own]["retracts"] != retracts:
            raise Conflict(f"Two retractions have the id {own}", remedy="Derive the id from the fact")
        rows.setdefault(own, {"n": n, "id": own, "retracts": retracts})
    targets = [row["retracts"] for row in rows.values()]
    if len(targets) != len(set(targets)):
        raise Conflict("Two retractions name the same event")
    return list(rows.values())


def _fresh(judged: Sequence[tuple[Any, ...]]) -> list[tuple[str, int]]:
    found = []
    for _, own, retracts, event, other, by in judged:
        if event is None:
            raise NotFound(
                f"No event {retracts} is stored",
                record=f"retraction {own}",
                remedy="Send the retraction after the event; of a parked event, reject it instead",
                code="unknown_event",
            )
        if other is not None and other != event:
            raise Conflict(f"The retraction {own} took back another event", record=str(retracts))
        if other is None and by is not None:
            raise Conflict(f"It was taken back by {by}", record=f"event {retracts}")
        if other is None:
            found.append((own, event))
    return found
