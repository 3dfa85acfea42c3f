"""From usage points to the measure of a slot, by dimensions.

`sum`, `count` and `max` need only totals per date. `unique` needs the counted values, `latest` and `weighted`
the order of the points; a point without an instant counts from the beginning of its date.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

from billing.domain.measures import ZERO, Measure
from billing.domain.proration import midnight
from billing.domain.types import Aggregation, Dimensions, Filters, UsagePoint


def counted(points: Iterable[UsagePoint], filters: Filters) -> list[UsagePoint]:
    """The points that the filters let through; one without the property has none of its values.

    With `token_kind` in {output}, 700 input and 300 output tokens are 300.
    """
    return [point for point in points if is_counted(point.dimensions, filters)]


def is_counted(dimensions: Dimensions, filters: Filters) -> bool:
    """Whether usage with these values is what the meter counts."""
    values = dict(dimensions) if filters else {}
    return all(values.get(name) in wanted for name, wanted in filters)


def measure(
    aggregation: Aggregation,
    points: Iterable[UsagePoint],
    service_from: dt.date,
    service_to: dt.date,
    *,
    time_zone: str = "UTC",
    with_transactions: bool = False,
) -> dict[Dimensions, Measure]:
    """What `points` measure in `[service_from, service_to)`.

    `weighted` also reads the points before the slot: they are increments whose sum is the level that the
    slot begins with (a level lasts until it changes).
    """
    by_dimensions: dict[Dimensions, list[UsagePoint]] = defaultdict(list)
    for point in points:
        inside = service_from <= point.on < service_to
        if inside or (aggregation is Aggregation.WEIGHTED and point.on < service_from):
            by_dimensions[point.dimensions].append(point)
    measured = {}
    for dimensions, own in by_dimensions.items():
        if aggregation is Aggregation.WEIGHTED:
            measured[dimensions] = _weighted(own, service_from, service_to, time_zone)
        else:
            measured[dimensions] = _of(aggregation, own, with_transactions)
    return measured


def _of(aggregation: Aggregation, points: Sequence[UsagePoint], with_transactions: bool) -> Measure:
    count = sum(point.count for point in points)
    if aggregation is Aggregation.COUNT:
        return Measure(Fraction(count), count)
    if aggregation is Aggregation.UNIQUE:
        return Measure(Fraction(len({point.subject for point in points})), count)
    if aggregation is Aggregation.MAX:
        return Measure(Fraction(max(point.quantity for point in points)), count)
    if aggregation is Aggregation.LATEST:
        return Measure(Fraction(max(points, key=_order).quantity), count)
    total = sum((Fraction(point.quantity) for point in points), ZERO)
    single = tuple(Fraction(point.quantity) for point in points) if with_transactions else ()
    return Measure(total, count, single)


def _order(point: UsagePoint) -> tuple[dt.datetime, Decimal]:
    """By instant; of two at the same instant the larger counts as the later one."""
    return (_instant(point, "UTC"), point.quantity)


def _instant(point: UsagePoint, time_zone: str) -> dt.datetime:
    return point.at or midnight(point.on, time_zone)


def _weighted(
    points: Sequence[UsagePoint], service_from: dt.date, service_to: dt.date, time_zone: str
) -> Measure:
    """The level averaged over time: 2,500 from 5 March on is 2,500 x 27/31 (known answer U5)."""
    begins, ends = midnight(service_from, time_zone), midnight(service_to, time_zone)
    whole = _microseconds(ends - begins)
    level, since, quantity = ZERO, begins, ZERO
    levels: list[tuple[Fraction, Fraction]] = []
    for point in sorted(points, key=lambda p: _instant(p, time_zone)):
        at = max(_instant(point, time_zone), begins)
        if at > since:
            levels.append((Fraction(_microseconds(at - since), whole), level))
            since = at
        level += Fraction(point.quantity)
    levels.append((Fraction(_microseconds(ends - since), whole), level))
    quantity = sum((share * height for share, height in levels), ZERO)
    return Measure(quantity, sum(p.count for p in points if p.on >= service_from), (), tuple(levels))


def _microseconds(span: dt.timedelta) -> int:
    return span // dt.timedelta(microseconds=1)
