"""Where metered usage went: received = billed + included + drawn down + waived + pending, line by line.

Both sides are computed apart: what was received from the single events, what became of it from the charges
and, for what is not billed, from the charge engine. For meters that add up or count; of the others a quantity
is not a sum of events.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection

from billing.domain.charges import accrued, uncovered
from billing.domain.types import Aggregation, Key, Kind, Timeline, Usage
from billing.models import Charge
from billing.services import rating
from orders.models import OrderLine

ZERO = Fraction(0)
BY_UNIT = frozenset({"per_unit", "graduated", "volume", "matrix"})
ADDED_UP = frozenset({Aggregation.SUM, Aggregation.COUNT})

# Events that were not taken back, per line, and of them what the meter's filters leave out. A count takes
# each as one.
RECEIVED = """
SELECT l.id, sum(CASE m.aggregation WHEN 'count' THEN 1 ELSE e.quantity END),
       coalesce(sum(CASE m.aggregation WHEN 'count' THEN 1 ELSE e.quantity END) FILTER (WHERE EXISTS (
         SELECT 1 FROM billing_usagedimensions d, jsonb_each(m.filters) AS f(name, asked)
         WHERE d.id = e.dimensions_id AND NOT f.asked @> coalesce(d.values->f.name, 'null'))), 0)
FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
JOIN orders_sku k ON k.id = l.sku_id JOIN orders_meter m ON m.id = k.meter_id
JOIN billing_usageevent e ON e.line_id = l.id
WHERE l.order_id = ANY(%(orders)s) AND e.occurred_at < %(as_of)s::date::timestamp AT TIME ZONE o.time_zone
  AND NOT EXISTS (SELECT 1 FROM billing_usageretraction r WHERE r.event_id = e.id)
GROUP BY l.id
"""
# Events that wait for a decision, by what they say of themselves.
PARKED = """
SELECT l.id, sum(CASE m.aggregation WHEN 'count' THEN 1 ELSE coalesce(x.quantity, 0) END), 0
FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
JOIN orders_customer c ON c.id = o.customer_id JOIN orders_sku k ON k.id = l.sku_id
JOIN orders_meter m ON m.id = k.meter_id
JOIN billing_usageexception x ON x.state = 'open' AND x.customer_number = c.number AND x.meter_code = m.code
  AND coalesce(x.raw->>'key', '') = l.usage_key
WHERE l.order_id = ANY(%(orders)s) GROUP BY l.id
"""


@dataclass(frozen=True, slots=True)
class Balance:
    """One usage line, in its meter's unit, exact.

    `outside` is usage on days that no segment covers, `filtered` what the meter's filters do not count.
    """

    line: OrderLine
    received: Fraction
    billed: Fraction
    included: Fraction
    drawn: Fraction
    waived: Fraction
    pending: Fraction
    outside: Fraction
    parked: Fraction
    filtered: Fraction

    @property
    def missing(self) -> Fraction:
        """What was received and is nowhere: 0, or something is wrong."""
        went = self.billed + self.included + self.drawn + self.waived + self.pending + self.outside
        return self.received - went - self.parked - self.filtered


def of_orders(order_ids: Collection[int], as_of: dt.date) -> list[Balance]:
    """The balance of every usage line of these orders, of events before `as_of`. Ten statements.

    `as_of` is not before the end of what was billed, or what was billed shows as pending below zero.
    """
    ids = sorted(set(order_ids))
    received, parked = _sums(RECEIVED, ids, as_of), _sums(PARKED, ids, as_of)
    timelines = rating.load_timelines(ids, dt.date.max)
    usage = rating.load_usage(ids, as_of, timelines)
    rows = OrderLine.objects.filter(order__in=ids, sku__kind="usage").select_related("order", "sku__meter")
    lines = {line.pk: line for line in rows.order_by("order_id", "position")}
    billed = _billed(ids)
    rated, outside = _rated(timelines.values(), usage, as_of)
    found = []
    for pk, line in lines.items():
        if line.sku.meter is None or line.sku.meter.aggregation not in ADDED_UP:
            continue
        own = {key: charge for key, charge in billed.items() if key[0] == pk}
        split = _add([charge.split() for charge in own.values()])
        pending = rated.get(pk, ZERO) - sum((charge.quantity for charge in own.values()), ZERO)
        held, _ = parked.get(pk, (ZERO, ZERO))
        came, left_out = received.get(pk, (ZERO, ZERO))
        gone = outside.get(pk, ZERO)
        found.append(Balance(line, came + held, *split, pending, gone, held, left_out))
    return found


def _sums(statement: str, ids: list[int], as_of: dt.date) -> dict[int, tuple[Fraction, Fraction]]:
    """By line: the quantity, and what of it is not counted."""
    with connection.cursor() as cursor:
        cursor.execute(statement, {"orders": ids, "as_of": as_of})
        return {line: (Fraction(quantity), Fraction(out)) for line, quantity, out in cursor.fetchall()}


@dataclass(slots=True)
class _Charged:
    """One usage charge with all its corrections, and what was taken off it."""

    quantity: Fraction = ZERO
    amount: Decimal = Decimal(0)
    drawn: Decimal = Decimal(0)
    waived: Decimal = Decimal(0)
    priced: Fraction | None = None

    def split(self) -> tuple[Fraction, Fraction, Fraction, Fraction]:
        """The quantity by who pays: money, included in the price, credit, nobody (in proportion)."""
        paid = self.quantity if self.priced is None else min(self.priced, self.quantity)
        if not self.amount:
            return ZERO, self.quantity, ZERO, ZERO
        by_credit = paid * Fraction(self.drawn) / Fraction(self.amount)
        by_nobody = paid * Fraction(self.waived) / Fraction(self.amount)
        return paid - by_credit - by_nobody, self.quantity - paid, by_credit, by_nobody


def _billed(ids: list[int]) -> dict[Key, _Charged]:
    kinds = [Charge.Kind.USAGE, *Charge.COVERS]
    rows = Charge.objects.filter(line__order__in=ids, kind__in=kinds).order_by("pk")
    found: dict[Key, _Charged] = defaultdict(_Charged)
    columns = ("line_id", "segment_id", "kind", "period_from", "quantity", "amount", "trace__pieces")
    for line, segment, kind, start, quantity, amount, pieces in rows.values_list(*columns):
        charge = found[line, segment, "usage", start]
        if kind == Charge.Kind.DRAWDOWN:
            charge.drawn -= amount
        elif kind == Charge.Kind.WAIVER:
            charge.waived -= amount
        else:
            charge.quantity += Fraction(quantity)
            charge.amount += amount
            charge.priced = _priced(pieces)
    return found


def _priced(pieces: list[dict[str, Any]] | None) -> Fraction | None:
    """Units that a price was put on; None where the price doesn't go by units (flat, per package)."""
    steps = [step for piece in pieces or [] for step in piece["steps"]]
    if any(piece["model"] not in BY_UNIT for piece in pieces or []):
        return None
    return sum((Fraction(step["units"]) for step in steps), ZERO) if steps else None


def _rated(
    timelines: Iterable[Timeline], usage: Usage, as_of: dt.date
) -> tuple[dict[int, Fraction], dict[int, Fraction]]:
    """What the engine rates before `as_of`, and what lies outside of all segments, by line."""
    rated: dict[int, Fraction] = defaultdict(Fraction)
    outside: dict[int, Fraction] = defaultdict(Fraction)
    for timeline in timelines:
        for charge in accrued(timeline, usage, as_of):
            if charge.kind == Kind.USAGE:
                rated[charge.line] += charge.quantity
        for line, point in uncovered(timeline, usage):
            outside[line] += Fraction(point.quantity)
    return rated, outside


def _add(
    parts: list[tuple[Fraction, Fraction, Fraction, Fraction]],
) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    a, b, c, d = (sum(column, ZERO) for column in zip(*parts, strict=True)) if parts else (ZERO,) * 4
    return a, b, c, d
