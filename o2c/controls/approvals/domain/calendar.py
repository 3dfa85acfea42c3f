"""Time as people have it: working hours of working days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """Monday to Friday from `opens` to `closes` o'clock in `zone`, without the holidays."""

    zone: str = "UTC"
    opens: int = 9
    closes: int = 17
    holidays: frozenset[dt.date] = frozenset()

    def works(self, day: dt.date) -> bool:
        return day.weekday() < 5 and day not in self.holidays

    def after(self, start: dt.datetime, hours: int) -> dt.datetime:
        """The instant that is `hours` working hours after `start`, in UTC.

        Friday 16:00 plus 2 hours is Monday 10:00.
        """
        zone = ZoneInfo(self.zone)
        at = start.astimezone(zone)
        left = dt.timedelta(hours=hours)
        while True:
            opens = at.replace(hour=self.opens, minute=0, second=0, microsecond=0)
            closes = at.replace(hour=self.closes, minute=0, second=0, microsecond=0)
            begin = max(at, opens)
            if self.works(at.date()) and begin < closes:
                # Subtract in UTC: between two wall clocks of one zone Python ignores a change of offset.
                room = closes.astimezone(dt.UTC) - begin.astimezone(dt.UTC)
                if left <= room:
                    return begin.astimezone(dt.UTC) + left
                left -= room
            at = dt.datetime.combine(at.date() + dt.timedelta(days=1), dt.time(), zone)


def with_holidays(zone: str, holidays: Collection[dt.date]) -> BusinessCalendar:
    return BusinessCalendar(zone=zone, holidays=frozenset(holidays))
