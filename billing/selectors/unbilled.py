"""Usage that no charge contains, so that nothing metered is lost from sight."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from billing.selectors.metered import COUNTED

# Usage hours of lines whose day (in the contract's time zone) no segment covers.
UNCOVERED = f"""
SELECT o.number, l.position, k.unit, o.customer_id, l.id, sum(h.quantity), min(h.hour), max(h.hour)
FROM billing_usagehour h
JOIN orders_orderline l ON l.id = h.line_id
JOIN orders_order o ON o.id = l.order_id
JOIN orders_sku k ON k.id = l.sku_id
WHERE (%(entity)s::bigint IS NULL OR o.entity_id = %(entity)s)
  AND h.hour < %(through)s::date::timestamp AT TIME ZONE o.time_zone
  AND {COUNTED}
  AND NOT EXISTS (
    SELECT 1 FROM orders_segment s
    WHERE s.line_id = l.id AND s.starts_on <= (h.hour AT TIME ZONE o.time_zone)::date
      AND (s.ends_on IS NULL OR s.ends_on > (h.hour AT TIME ZONE o.time_zone)::date))
GROUP BY o.number, l.position, k.unit, o.customer_id, l.id
ORDER BY o.number, l.position
"""  # noqa: S608  # a constant

PARKED = """
SELECT customer_number, kind, count(*)
FROM billing_usageexception
WHERE state = 'open' AND (occurred_at IS NULL OR occurred_at < %s::date::timestamp AT TIME ZONE 'UTC')
GROUP BY customer_number, kind
ORDER BY count(*) DESC, customer_number, kind
"""


@dataclass(frozen=True, slots=True)
class Uncovered:
    """Metered usage of a line outside of its segments: after a cancellation with effect in the past."""

    order: str
    position: int
    unit: str
    customer_id: int
    line_id: int
    quantity: Decimal
    first_hour: dt.datetime
    last_hour: dt.datetime


def uncovered(entity_id: int | None, through: dt.date) -> list[Uncovered]:
    """Usage before `through` that no segment covers, by order line. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(UNCOVERED, {"entity": entity_id, "through": through})
        return [Uncovered(*row) for row in cursor.fetchall()]


def parked(through: dt.date) -> list[tuple[str, str, int]]:
    """Open exceptions of events before `through`: (customer number or empty, kind, events)."""
    with connection.cursor() as cursor:
        cursor.execute(PARKED, [through])
        return cursor.fetchall()
