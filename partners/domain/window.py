"""When the metering service still takes an hour, and when silence about an hour is an alarm.

AWS's own texts differ (1 hour, 6 hours, 24 hours), so both limits are data of the channel's capability
sheet. The default is the strict reading: refuse at six hours, and the prior month's records until 06:00 UTC
on the 1st (reference: marketplaces, 1.4).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum


class Verdict(Enum):
    """What can be done with a frozen hour at a given moment."""

    EARLY = "early"
    SENDABLE = "sendable"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Window:
    """The service's limits on a record's timestamp, all in UTC."""

    accepts_for: timedelta = timedelta(hours=6)
    month_grace: timedelta = timedelta(hours=6)
    warn_after: timedelta = timedelta(hours=1)
    page_after: timedelta = timedelta(hours=3)

    def closes_at(self, timestamp: datetime) -> datetime:
        """First moment at which a record of this timestamp is refused."""
        next_month = (
            timestamp.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)
        ).replace(day=1)
        return min(timestamp + self.accepts_for, next_month + self.month_grace)

    def verdict(self, timestamp: datetime, now: datetime) -> Verdict:
        """LATE at exactly the limit: "aren't accepted 6 hours or more after an event"."""
        if timestamp > now:
            return Verdict.EARLY
        return Verdict.LATE if now >= self.closes_at(timestamp) else Verdict.SENDABLE

    def alarm(self, hour: datetime, now: datetime) -> str:
        """How loudly an unsent hour asks for attention: "", "warn", "page" or "lost"."""
        if self.verdict(hour, now) is Verdict.LATE:
            return "lost"
        waiting = now - (hour + timedelta(hours=1))
        if waiting >= self.page_after:
            return "page"
        return "warn" if waiting >= self.warn_after else ""
