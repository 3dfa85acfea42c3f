"""How much of a period's price a part of the period costs.

A convention is a measure on dates: the share of `[a, b)` in its period is `measure(a, b) / measure(period)`.
Every measure here is additive, `m(a, b) + m(b, c) = m(a, c)`, so the shares of the parts of a period always
sum to exactly one, whatever the convention.

- actual_days: days over the days of the period (the default).
- fixed_30: every month has thirty days; days 31 count as 30 (30E/360, also Kill Bill's fixed proration).
- thirty_360: bond basis (NASD): a 31 counts as 30 at the start, at the end only after a start on 30 or 31;
  the last of February counts as 30 at the start. Measured from the period's first day to stay additive.
- seconds: elapsed seconds between local midnights, so a day of a clock change weighs 23 or 25 hours.
- whole_months: who holds a month's first day pays the month; the month in which service begins is full.
- none: who holds the first day of service in the period pays the period.

Which day counts is a clause of its own. Where the last one does, a part `[a, b)` pays for `(a, b]`: limits
inside of the period move on by a day, the limits of the period itself stay, so the shares still sum to one.
whole_months and none ask who holds a first day and are the same either way.
"""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

from billing.domain.types import CountedDay, Proration
from o2c.periods import add_months


@lru_cache(maxsize=65536)
def midnight(day: dt.date, time_zone: str) -> dt.datetime:
    """The instant at which `day` begins in `time_zone`, in UTC."""
    return dt.datetime.combine(day, dt.time(), ZoneInfo(time_zone)).astimezone(dt.UTC)


def local_date(instant: dt.datetime, time_zone: str) -> dt.date:
    """The calendar date of an instant in the contract's time zone."""
    return instant.astimezone(ZoneInfo(time_zone)).date()


def _fixed_30(day: dt.date) -> int:
    return 360 * day.year + 30 * day.month + min(day.day, 30)


def _is_end_of_february(day: dt.date) -> bool:
    return day.month == 2 and (day + dt.timedelta(days=1)).month == 3


def _thirty_360(start: dt.date, end: dt.date) -> int:
    """Days from start to end on bond basis (NASD)."""
    d1, d2 = start.day, end.day
    if _is_end_of_february(start):
        if _is_end_of_february(end):
            d2 = 30
        d1 = 30
    if d2 == 31 and d1 >= 30:
        d2 = 30
    d1 = min(d1, 30)
    return 360 * (end.year - start.year) + 30 * (end.month - start.month) + d2 - d1


BY_FIRST_DAY = frozenset({Proration.WHOLE_MONTHS, Proration.NONE})
ONE_DAY = dt.timedelta(days=1)


def _moved(day: dt.date, period: tuple[dt.date, dt.date]) -> dt.date:
    """A limit where the last day counts and not the first: a day later, unless it limits the period."""
    return day + ONE_DAY if period[0] < day < period[1] else day


def _first_days_held(
    a: dt.date, b: dt.date, period: tuple[dt.date, dt.date], months: int, first_day: dt.date
) -> int:
    """Months of the period whose first day of service lies in `[a, b)`."""
    held = 0
    for k in range(months):
        starts = add_months(period[0], k)
        ends = period[1] if k == months - 1 else add_months(period[0], k + 1)
        held += ends > first_day and a <= max(starts, first_day) < b
    return held


@lru_cache(maxsize=65536)
def share(
    convention: Proration,
    a: dt.date,
    b: dt.date,
    period: tuple[dt.date, dt.date],
    *,
    months: int = 1,
    first_day: dt.date = dt.date.min,
    time_zone: str = "UTC",
    counted: CountedDay = CountedDay.FIRST,
) -> Fraction:
    """The share of `[a, b)` in `period`, between 0 and 1, exact.

    `months` is the number of months in the period (0 when it is counted in days) and `first_day` the first
    day of service of the line; only whole_months and none ask for them.

    >>> share(Proration.ACTUAL_DAYS, dt.date(2025, 2, 8), dt.date(2025, 3, 1),
    ...       (dt.date(2025, 2, 1), dt.date(2025, 3, 1)))
    Fraction(3, 4)
    """
    if (a, b) == period:
        return Fraction(1)
    if counted is CountedDay.LAST and convention not in BY_FIRST_DAY:
        a, b = _moved(a, period), _moved(b, period)
    if convention is Proration.ACTUAL_DAYS:
        return Fraction((b - a).days, (period[1] - period[0]).days)
    if convention is Proration.FIXED_30:
        return Fraction(_fixed_30(b) - _fixed_30(a), _fixed_30(period[1]) - _fixed_30(period[0]))
    if convention is Proration.THIRTY_360:
        start = period[0]
        return Fraction(_thirty_360(start, b) - _thirty_360(start, a), _thirty_360(start, period[1]))
    if convention is Proration.SECONDS:
        elapsed = midnight(b, time_zone) - midnight(a, time_zone)
        whole = midnight(period[1], time_zone) - midnight(period[0], time_zone)
        return Fraction(int(elapsed.total_seconds()), int(whole.total_seconds()))
    count = months if convention is Proration.WHOLE_MONTHS and months else 1
    return Fraction(_first_days_held(a, b, period, count, first_day), count)


def explain(
    convention: Proration,
    a: dt.date,
    b: dt.date,
    period: tuple[dt.date, dt.date],
    counted: CountedDay = CountedDay.FIRST,
) -> str:
    """The share in words for a trace: "21/28 days"."""
    if counted is CountedDay.LAST and convention not in BY_FIRST_DAY:
        return explain(convention, _moved(a, period), _moved(b, period), period) + ", the last one counted"
    if convention is Proration.ACTUAL_DAYS:
        return f"{(b - a).days}/{(period[1] - period[0]).days} days"
    if convention is Proration.FIXED_30:
        return f"{_fixed_30(b) - _fixed_30(a)}/{_fixed_30(period[1]) - _fixed_30(period[0])} days of 30"
    if convention is Proration.THIRTY_360:
        start = period[0]
        days = _thirty_360(start, b) - _thirty_360(start, a)
        return f"{days}/{_thirty_360(start, period[1])} days 30/360"
    return convention.value.replace("_", " ")
