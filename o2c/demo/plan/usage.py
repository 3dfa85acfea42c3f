"""Usage events with the rhythm of people at work, some late, some sent twice, a few nobody can place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from random import Random
from zoneinfo import ZoneInfo

# Share of a day's traffic by local hour: little at night, two humps around lunch.
HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 19, 17, 13, 17, 19, 18, 15, 11, 7, 5, 4, 3, 2, 1)
WEEKDAYS = (10, 11, 11, 11, 9, 4, 3)
MODELS = (("lumen-large", 3), ("lumen-small", 7))
KINDS = (("input", 8), ("output", 2))


@dataclass(frozen=True, slots=True)
class UsageSource:
    """One usage line that emits events: where they go and how much a day."""

    key: str
    customer: str
    usage_key: str
    meter: str
    dimensions: tuple[str, ...]
    time_zone: str
    daily: Decimal
    weight: int
    starts_on: dt.date
    ends_on: dt.date


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One event as product metering sends it; `received_on` is later than `at` for the late ones."""

    event_id: str
    customer: str
    usage_key: str
    meter: str
    at: dt.datetime
    quantity: Decimal
    dimensions: dict[str, str]
    received_on: dt.date


def _days(source: UsageSource, since: dt.date, until: dt.date) -> list[dt.date]:
    first, last = max(since, source.starts_on), min(until, source.ends_on)
    return [first + dt.timedelta(days=n) for n in range((last - first).days)]


def _instant(random: Random, days: Sequence[dt.date], weights: Sequence[int], zone: ZoneInfo) -> dt.datetime:
    day = random.choices(days, weights)[0]
    hour = random.choices(range(24), HOURS)[0]
    seconds = random.randint(0, 3599)
    local = dt.datetime(day.year, day.month, day.day, hour, seconds // 60, seconds % 60, tzinfo=zone)
    return local.astimezone(dt.UTC)


def _dimensions(random: Random, names: Sequence[str]) -> dict[str, str]:
    if not names:
        return {}
    model = random.choices([m for m, _ in MODELS], [w for _, w in MODELS])[0]
    kind = random.choices([k for k, _ in KINDS], [w for _, w in KINDS])[0]
    return {"model": model, "token_kind": kind}


def usage_rows(
    sources: Sequence[UsageSource], *, seed: int, since: dt.date, until: dt.date, total: int
) -> Iterator[UsageRow]:
    """About `total` events in [since, until): 1 in 150 arrives days later, 1 in 120 arrives twice.

    A source's quantity a day is met on average: its events share what its days carry.
    """
    served = [(source, days) for source in sources if (days := _days(source, since, until))]
    share = Fraction(total, sum(source.weight * len(days) for source, days in served) or 1)
    for source, days in served:
        count = max(1, round(share * source.weight * len(days)))
        random = Random(f"{seed}:{source.key}:{since}")
        weights = [WEEKDAYS[day.weekday()] for day in days]
        zone = ZoneInfo(source.time_zone)
        mean = source.daily * len(days) / count
        for n in range(count):
            at = _instant(random, days, weights, zone)
            burst = Decimal(random.randint(200, 1800)).scaleb(-3)
            quantity = (mean * burst).to_integral_value() or Decimal(1)
            late = random.randint(2, 9) if random.random() < 1 / 150 else 0
            row = UsageRow(
                event_id=f"{source.key}-{since:%Y%m}-{n:06d}",
                customer=source.customer,
                usage_key=source.usage_key,
                meter=source.meter,
                at=at,
                quantity=quantity,
                dimensions=_dimensions(random, source.dimensions),
                received_on=at.date() + dt.timedelta(days=late),
            )
            yield row
            if random.random() < 1 / 120:
                yield row
