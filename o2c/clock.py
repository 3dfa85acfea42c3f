"""The only place that asks what time it is.

Money code never calls it: the as-of date is an argument. It serves timestamps of knowledge
(when something was recorded) and the edges, which choose an as-of date for a person.
"""

from __future__ import annotations

import datetime as dt
import time
from zoneinfo import ZoneInfo


def now() -> dt.datetime:
    """The current instant, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


def today(tz: str = "UTC") -> dt.date:
    """The current calendar date in the IANA time zone `tz`."""
    return now().astimezone(ZoneInfo(tz)).date()


def epoch_seconds() -> float:
    """Seconds of the epoch, of which a signature says when it was made."""
    return time.time()
