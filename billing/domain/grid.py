"""The grid of billing periods: period k is computed from the anchor, never from period k-1."""

from __future__ import annotations

import bisect
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from billing.domain.types import Anchor, Frequency, Line
from o2c.errors import InvalidInput
from o2c.periods import add_months

MONTHS = {
    Frequency.MONTH: 1,
    Frequency.QUARTER: 3,
    Frequency.HALF_YEAR: 6,
    Frequency.YEAR: 12,
}
DAYS = {Frequency.DAY: 1, Frequency.WEEK: 7}


@dataclass(frozen=True, slots=True)
class Grid:
    """Billing periods without gap, counted from `anchor_on`; the days 29 to 31 fall on a short month's last.

    >>> grid = Grid(Frequency.MONTH, dt.date(2024, 1, 31))
    >>> [str(grid.start(k)) for k in range(3)]
    ['2024-01-31', '2024-02-29', '2024-03-31']
    """

    frequency: Frequency
    anchor_on: dt.date
    boundaries: tuple[dt.date, ...] = ()

    @property
    def months(self) -> int:
        """Months in a period; 0 when periods are counted in days or listed."""
        return MONTHS.get(self.frequency, 0)

    def start(self, k: int) -> dt.date:
        """First day of period k."""
        if self.months:
            return add_months(self.anchor_on, k * self.months)
        if self.frequency is Frequency.CUSTOM:
            return self.boundaries[k]
        return self.anchor_on + dt.timedelta(days=k * DAYS[self.frequency])

    def index(self, day: dt.date) -> int:
        """The period that contains `day`. Raises InvalidInput outside of listed boundaries."""
        if self.frequency is Frequency.CUSTOM:
            if not self.boundaries or not self.boundaries[0] <= day < self.boundaries[-1]:
                raise InvalidInput(
                    f"The custom billing periods do not cover {day}", remedy="List boundaries around it"
                )
            return bisect.bisect_right(self.boundaries, day) - 1
        if not self.months:
            return (day - self.anchor_on).days // DAYS[self.frequency]
        passed = (day.year - self.anchor_on.year) * 12 + day.month - self.anchor_on.month
        k = passed // self.months
        return k if self.start(k) <= day else k - 1

    def periods(self, start: dt.date, end: dt.date) -> Iterator[tuple[dt.date, dt.date]]:
        """The whole periods that touch `[start, end)`, in order."""
        if start >= end:
            return
        k = self.index(start)
        period_from = self.start(k)
        while period_from < end:
            k += 1
            if self.frequency is Frequency.CUSTOM and k >= len(self.boundaries):
                return
            period_to = self.start(k)
            yield period_from, period_to
            period_from = period_to


@lru_cache(maxsize=4096)
def calendar_anchor(frequency: Frequency, day: int) -> dt.date:
    """Where a calendar grid begins: Mondays for weeks, January for months and their multiples.

    `day` is the billing day of the month; 29 to 31 fall on the last day of a short month.
    """
    if frequency is Frequency.WEEK:
        return dt.date(2001, 1, 1)  # a Monday
    return dt.date(2001, 1, day if MONTHS.get(frequency) else 1)


@lru_cache(maxsize=4096)
def _grid(frequency: Frequency, anchor_on: dt.date, boundaries: tuple[dt.date, ...]) -> Grid:
    return Grid(frequency, anchor_on, boundaries)


def line_grid(line: Line, frequency: Frequency | None = None) -> Grid:
    """The billing grid of a line, or the grid of another frequency with the same anchor."""
    frequency = frequency or line.frequency
    if frequency is Frequency.CUSTOM:
        return _grid(frequency, dt.date.min, line.boundaries)
    if line.anchor is Anchor.CALENDAR:
        day = line.anchor_on.day if line.anchor_on else 1
        return _grid(frequency, calendar_anchor(frequency, day), ())
    anchor_on = line.anchor_on or min(s.starts_on for s in line.segments)
    return _grid(frequency, anchor_on, ())
