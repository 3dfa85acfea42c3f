"""Half-open periods of calendar dates, and the calendar arithmetic of contracts.

Period k is computed from the anchor, never from period k-1: an anchor on 31 January gives
28 February and then 31 March again.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from o2c.errors import InvalidInput


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Dates from `start` up to, not including, `end`; `end` None means without end."""

    start: dt.date
    end: dt.date | None = None

    def __post_init__(self) -> None:
        if self.end is not None and self.end < self.start:
            raise InvalidInput(f"A period cannot end ({self.end}) before it starts ({self.start})")

    @property
    def days(self) -> int:
        """Number of dates; raises InvalidInput for a period without end."""
        if self.end is None:
            raise InvalidInput(f"The period from {self.start} has no end and so no length")
        return (self.end - self.start).days

    @property
    def is_empty(self) -> bool:
        return self.end is not None and self.end <= self.start

    def contains(self, day: dt.date) -> bool:
        return self.start <= day and (self.end is None or day < self.end)

    def intersect(self, other: Period) -> Period | None:
        """The dates in both, or None when there is none."""
        start = max(self.start, other.start)
        ends = [end for end in (self.end, other.end) if end is not None]
        end = min(ends) if ends else None
        if end is not None and end <= start:
            return None
        return Period(start, end)

    def __str__(self) -> str:
        return f"[{self.start}, {self.end or '…'})"


def add_months(anchor: dt.date, months: int) -> dt.date:
    """`anchor` moved by `months`, on the anchor's day or the month's last day when it is shorter.

    >>> add_months(dt.date(2024, 1, 31), 1), add_months(dt.date(2024, 1, 31), 2)
    (datetime.date(2024, 2, 29), datetime.date(2024, 3, 31))
    """
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = divmod(index, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return dt.date(year, month + 1, min(anchor.day, last))


def month_start(day: dt.date) -> dt.date:
    return day.replace(day=1)


def month_of(day: dt.date) -> Period:
    """The calendar month that contains `day`."""
    start = month_start(day)
    return Period(start, add_months(start, 1))


def month_named(name: str) -> Period:
    """The calendar month called '2026-08'."""
    try:
        year, month = name.split("-")
        return month_of(dt.date(int(year), int(month), 1))
    except ValueError as error:
        raise InvalidInput(f"{name!r} is not a month", remedy="Write it as 2026-08") from error


def anchored_periods(
    anchor: dt.date, months: int, *, until: dt.date, since: dt.date | None = None
) -> Iterator[Period]:
    """Periods of `months` months counted from `anchor`, while they start before `until`.

    `since` leaves out those that end on or before it.
    """
    if months < 1:
        raise InvalidInput("A period has at least one month")
    k = 0
    while (start := add_months(anchor, k * months)) < until:
        end = add_months(anchor, (k + 1) * months)
        if since is None or end > since:
            yield Period(start, end)
        k += 1


def month_periods(period: Period) -> Iterator[Period]:
    """The calendar months that `period` touches, whole."""
    if period.end is None:
        raise InvalidInput(f"The period from {period.start} has no end and so no list of months")
    yield from anchored_periods(month_start(period.start), 1, until=period.end)
