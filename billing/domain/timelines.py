"""From segments to slots: which parts of which billing periods a line is charged for."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import attrgetter

from billing.domain import adjustments
from billing.domain.grid import line_grid
from billing.domain.prices import Price
from billing.domain.types import Frequency, Instalment, Kind, Line, Segment, Slot, Timing
from o2c.errors import InvalidInput

ONCE = frozenset({Kind.ONE_TIME, Kind.PREPAID})
MAX_SLOTS = 20_000
ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring segments that say the same, as one: cutting a segment in two must change nothing.

    `first` is the segment that names the charges of the run; `ends_on` None is open.
    """

    first: Segment
    starts_on: dt.date
    ends_on: dt.date | None
    segments: tuple[int, ...]


def _same_terms(a: Segment, b: Segment, kind: Kind) -> bool:
    return (
        a.price_id == b.price_id
        and a.discount_percent == b.discount_percent
        and a.period == b.period
        and (kind is Kind.USAGE or a.quantity == b.quantity)
        and (a.price is b.price or a.price == b.price)
    )


def runs(line: Line) -> list[Run]:
    """The line's runs in order of time. Segments that cover no day are left out.

    Raises InvalidInput when two segments cover the same day.
    """
    found: list[Run] = []
    for segment in sorted(line.segments, key=attrgetter("starts_on")):
        if segment.ends_on is not None and segment.ends_on <= segment.starts_on:
            continue
        last = found[-1] if found else None
        if last is not None and (last.ends_on is None or last.ends_on > segment.starts_on):
            raise InvalidInput(
                f"Segments {last.segments[-1]} and {segment.id} both cover {segment.starts_on}",
                record=line.record,
                remedy="Close the earlier segment where the later one begins",
            )
        if last and last.ends_on == segment.starts_on and _same_terms(last.first, segment, line.kind):
            found[-1] = Run(last.first, last.starts_on, segment.ends_on, (*last.segments, segment.id))
        else:
            found.append(Run(segment, segment.starts_on, segment.ends_on, (segment.id,)))
    return found


def slots(line: Line, run: Run, through: dt.date, line_end: dt.date) -> Iterator[Slot]:
    """The slots of a run whose service begins before `through`, whether due by then or not."""
    if line.kind in ONCE:
        if run.starts_on < through:
            day_after = run.starts_on + ONE_DAY
            yield Slot(line, run.first, run.starts_on, day_after, run.starts_on, day_after, run.starts_on)
        return
    end = through if run.ends_on is None else min(run.ends_on, through)
    in_advance = line.timing is Timing.ADVANCE and line.kind is not Kind.USAGE
    for count, (period_from, period_to) in enumerate(line_grid(line).periods(run.starts_on, end)):
        if count >= MAX_SLOTS:
            raise InvalidInput(
                f"More than {MAX_SLOTS} billing periods from {run.starts_on} to {end}",
                record=line.record,
                remedy="Check the dates and the billing frequency of the line",
                code="runaway",
            )
        service_from = max(run.starts_on, period_from)
        service_to = period_to if run.ends_on is None else min(run.ends_on, period_to)
        due_on = service_from if in_advance else min(period_to, line_end) - ONE_DAY
        yield Slot(line, run.first, period_from, period_to, service_from, service_to, due_on)


def scheduled(
    line: Line, through: dt.date, line_end: dt.date
) -> Iterator[tuple[Slot, tuple[Instalment, ...]]]:
    """The days before `through` on which a schedule bills something, with what it bills.

    All are charges of the line's first segment: quantities and prices may change, the schedule does not. What
    lies on or after the day on which the line is over is billed no more.
    """
    first = min(line.segments, key=attrgetter("id"))
    days: dict[dt.date, list[Instalment]] = defaultdict(list)
    for instalment in line.instalments:
        if instalment.on < min(through, line_end):
            days[instalment.on].append(instalment)
    for day, instalments in sorted(days.items()):
        after = day + ONE_DAY
        yield Slot(line, first, day, after, day, after, day), tuple(instalments)


def at_price(line: Line) -> Line:
    """The line as its price says, without the schedule that it is billed by: what it is worth, and when."""
    if not line.scheduled:
        return line
    period = line.segments[0].period or Frequency.MONTH
    return replace(line, frequency=period, instalments=())


def pieces(
    line: Line, run: Run, start: dt.date, end: dt.date, origin: dt.date
) -> list[tuple[dt.date, dt.date, Price]]:
    """`[start, end)` of a run cut where a ramp changes the price, or an override or coupon begins or ends."""
    return adjustments.cut(line.adjustments, run.first.price.pieces(start, end, origin))


def line_end(line_runs: list[Run]) -> dt.date:
    """The day on which the line is over for good; the end of the calendar for an open one."""
    if not line_runs or line_runs[-1].ends_on is None:
        return dt.date.max
    return line_runs[-1].ends_on


def cuts(line: Line, through: dt.date) -> list[tuple[dt.date, dt.date]]:
    """The intervals of a usage line inside of which usage may be added up before it is rated.

    Slots that began before `through`, cut further where a ramp changes the price.
    """
    found: list[tuple[dt.date, dt.date]] = []
    line_runs = runs(line)
    ends = line_end(line_runs)
    origin = line_runs[0].starts_on if line_runs else through
    for run in line_runs:
        for slot in slots(line, run, through, ends):
            parts = pieces(line, run, slot.service_from, slot.service_to, origin)
            found += [(start, end) for start, end, _ in parts]
    return found
