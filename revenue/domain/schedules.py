"""Step 5: when the allocated price becomes revenue.

One curve answers it: the exact fraction of the price earned before a date. A month's revenue is the
rounded curve at its end less the rounded curve at its start, so every prefix of the schedule ties
and no cent waits for the last month.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

from o2c.money import quantize
from o2c.periods import Period, anchored_periods, month_periods
from revenue.domain.types import Band, Measure, Plan, Remainder, Slice

Curve = Callable[[dt.date], Fraction]


def _months_in(period: Period) -> Fraction:
    """Months of `period`, a part of a month as days / days in that month."""
    total = Fraction(0)
    for month in month_periods(period):
        common = month.intersect(period)
        total += Fraction(common.days, month.days) if common else 0
    return total


def _started_months(band: Band, until: dt.date) -> int:
    months = sum(1 for _ in anchored_periods(band.start, 1, until=band.end))
    first = band.start.replace(day=1)
    return min(months, sum(1 for _ in anchored_periods(first, 1, until=until)))


def units(bands: Iterable[Band], until: dt.date, measure: Measure = Measure.DAY) -> Fraction:
    """Quantity x time promised before `until`: seat-days, or seat-months."""
    total = Fraction(0)
    for band in bands:
        end = min(band.end, until)
        if end <= band.start:
            continue
        if measure is Measure.DAY:
            length = Fraction((end - band.start).days)
        elif measure is Measure.MONTH:
            length = _months_in(Period(band.start, end))
        else:
            length = Fraction(_started_months(band, end))
        total += Fraction(band.quantity) * length
    return total


def straight(price: Decimal, bands: Sequence[Band], measure: Measure = Measure.DAY) -> Curve:
    """The curve of a price earned evenly per unit promised.

    A service without a single unit is earned when it starts.
    """
    whole = units(bands, dt.date.max, measure)
    if not whole:
        first = min(band.start for band in bands)
        return lambda day: Fraction(price) if day > first else Fraction(0)
    return lambda day: Fraction(price) * units(bands, day, measure) / whole


def at_point(price: Decimal, on: dt.date) -> Curve:
    """The curve of a price earned on one day."""
    return lambda day: Fraction(price) if day > on else Fraction(0)


def by_progress(price: Decimal, steps: Sequence[tuple[dt.date, Fraction]]) -> Curve:
    """The curve of a price earned by measured progress: from each date, the share earned to date.

    Shares are exact fractions. Rounding 420/820 to 51.2% moves Example 8 by 263.41.
    """
    return lambda day: max((Fraction(price) * share for on, share in steps if on < day), default=Fraction(0))


def by_month(curve: Curve, period: Period, currency: str) -> Plan:
    """The curve cut at month ends over the months that `period` touches. Months of 0.00 stay."""
    slices = []
    before = Decimal(0)
    for month in month_periods(period):
        assert month.end is not None
        earned = quantize(curve(month.end), currency)  # rounding: cumulative, at each month end
        slices.append(Slice(month.start, earned - before))
        before = earned
    return tuple(slices)


def ratable(
    price: Decimal,
    period: Period,
    currency: str,
    *,
    measure: Measure = Measure.DAY,
    remainder: Remainder = Remainder.CUMULATIVE,
) -> Plan:
    """A flat price over `period`.

    31.00 USD over [15 January, 15 February) by day: January 17.00, February 14.00.
    `remainder` other than CUMULATIVE rounds each month by itself and corrects the named one; it is
    there to carry on the schedules of a system that did so.
    """
    assert period.end is not None
    curve = straight(price, [Band(period.start, period.end)], measure)
    plan = by_month(curve, period, currency)
    if remainder is Remainder.CUMULATIVE:
        return plan
    rounded = []
    for month in month_periods(period):
        assert month.end is not None
        rounded.append(quantize(curve(month.end) - curve(month.start), currency))  # rounding: per month
    if rounded:
        odd = 0 if remainder is Remainder.FIRST else len(rounded) - 1
        rounded[odd] += price - sum(rounded, Decimal(0))
    return tuple(Slice(s.month, amount) for s, amount in zip(plan, rounded, strict=True))
