"""Proof that the hourly totals are the sum of the events, and their repair.

The intake keeps them in step in its own transaction; this finds what anything else did.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from billing.models import UsageRepair
from o2c.access import require
from o2c.actor import Actor, acting

# Every hour in which events and total differ, from both sides.
DRIFT = """
WITH summed AS (
    SELECT e.line_id, e.dimensions_id, date_trunc('hour', e.occurred_at, o.time_zone) AS hour,
           sum(e.quantity) AS quantity, count(*) AS events
    FROM billing_usageevent e
    JOIN orders_orderline l ON l.id = e.line_id JOIN orders_order o ON o.id = l.order_id
    WHERE NOT EXISTS (SELECT 1 FROM billing_usageretraction r WHERE r.event_id = e.id)
    GROUP BY 1, 2, 3
)
SELECT coalesce(h.line_id, s.line_id) AS line_id, coalesce(h.hour, s.hour) AS hour,
       coalesce(h.dimensions_id, s.dimensions_id) AS dimensions_id,
       coalesce(h.quantity, 0) AS quantity_total, coalesce(s.quantity, 0) AS quantity_events,
       coalesce(h.event_count, 0) AS count_total, coalesce(s.events, 0) AS count_events
FROM summed s FULL JOIN billing_usagehour h
  ON h.line_id = s.line_id AND h.hour = s.hour AND h.dimensions_id = s.dimensions_id
WHERE (h.quantity, h.event_count) IS DISTINCT FROM (s.quantity, s.events)
"""

REPAIR = f"""
WITH drift AS ({DRIFT}), removed AS (
    DELETE FROM billing_usagehour h USING drift d
    WHERE h.line_id = d.line_id AND h.hour = d.hour AND h.dimensions_id = d.dimensions_id
      AND d.count_events = 0
)
INSERT INTO billing_usagehour AS h
    (customer_id, meter_id, line_id, dimensions_id, hour, quantity, event_count)
SELECT o.customer_id, k.meter_id, d.line_id, d.dimensions_id, d.hour, d.quantity_events, d.count_events
FROM drift d JOIN orders_orderline l ON l.id = d.line_id JOIN orders_order o ON o.id = l.order_id
JOIN orders_sku k ON k.id = l.sku_id
WHERE d.count_events > 0
ORDER BY d.line_id, d.hour, d.dimensions_id
ON CONFLICT (line_id, hour, dimensions_id) DO UPDATE
SET quantity = excluded.quantity, event_count = excluded.event_count
"""  # noqa: S608  # built from constants of this file


@dataclass(frozen=True, slots=True)
class Drift:
    """An hour whose total is not the sum of its events."""

    line_id: int
    hour: dt.datetime
    dimensions_id: int
    quantity_total: Decimal
    quantity_events: Decimal
    count_total: int
    count_events: int


def verify(limit: int = 100) -> list[Drift]:
    """The hours whose total differs from their events; none is as it should be. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(f"{DRIFT} ORDER BY 2, 1, 3 LIMIT %s", [limit])
        return [Drift(*row) for row in cursor.fetchall()]


def repair(*, actor: Actor, reason: str) -> int:
    """Set every differing total to the sum of its events; returns how many were set."""
    with acting(actor, reason=reason):
        require(actor, "billing.usage.repair")
        with connection.cursor() as cursor:
            # An intake that has not reached the totals yet adds to them afterwards; one that has is over.
            cursor.execute("LOCK TABLE billing_usagehour IN SHARE ROW EXCLUSIVE MODE")
            cursor.execute(REPAIR)
            hours = int(cursor.rowcount)
        if hours:
            UsageRepair.objects.create(hours=hours, reason=reason)
        return hours
