"""Publishing: one statement for the events and one for their deliveries, however many there are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from o2c.errors import Conflict
from o2c.outbox.registry import subscribers

PUBLISH = """
WITH incoming AS (
  SELECT * FROM unnest(%s::text[], %s::text[], %s::jsonb[]) WITH ORDINALITY AS i(type, aggregate, payload, n)
), events AS (
  INSERT INTO outbox_domainevent (type, aggregate, payload)
  SELECT type, aggregate, payload FROM incoming ORDER BY n
  RETURNING id, type, aggregate
)
INSERT INTO outbox_delivery (event_id, consumer, aggregate, state, attempts, error)
SELECT e.id, s.consumer, e.aggregate, 'pending', 0, ''
FROM events e JOIN unnest(%s::text[], %s::text[]) AS s(type, consumer) ON s.type = e.type
ORDER BY e.id
"""


def publish(*, type: str, aggregate: str, payload: dict[str, Any] | None = None) -> None:
    """Publish one event; consumers get it after the surrounding transaction commits."""
    publish_many([(type, aggregate, payload or {})])


def publish_many(events: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
    """Publish (type, aggregate, payload) events in this order.

    Raises Conflict outside a transaction: an event belongs to the change that causes it.
    """
    if not events:
        return
    if not connection.in_atomic_block:
        raise Conflict(f"{events[0][0]} was published outside the transaction of its cause")
    types = {event[0] for event in events}
    pairs = [(t, name) for t in sorted(types) for name in subscribers.get(t, ())]
    with connection.cursor() as cursor:
        cursor.execute(
            PUBLISH,
            [
                [event[0] for event in events],
                [event[1] for event in events],
                [json.dumps(event[2], cls=DjangoJSONEncoder) for event in events],
                [pair[0] for pair in pairs],
                [pair[1] for pair in pairs],
            ],
        )
