"""What an order promises at one state of knowledge: stated price, stand-alone price and service of each line
with a fixed price."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from billing.domain.charges import expected
from billing.domain.timelines import at_price
from billing.domain.types import Line, Timeline
from revenue.domain.types import Band
from revenue.domain.versions import Promise
from revenue.selectors.standalone import Prices

ONE_DAY = dt.timedelta(days=1)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Ssp:
    """How the stand-alone price of a line was found."""

    method: str
    entries: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """The promises of an order as known after some amendments, and where their SSPs come from."""

    promises: tuple[Promise, ...]
    ssps: Mapping[int, Ssp]


def as_known(timeline: Timeline, ends: Mapping[int, dt.date | None] | None) -> Timeline:
    """`timeline` with only the segments in `ends`, ending where they ended then. None: as it is now."""
    if ends is None:
        return timeline
    lines = [
        replace(line, segments=tuple(replace(s, ends_on=ends[s.id]) for s in line.segments if s.id in ends))
        for line in timeline.lines
    ]
    return replace(timeline, lines=tuple(line for line in lines if line.segments))


def bands(line: Line) -> tuple[Band, ...]:
    """The promised service: one day for what is delivered once, quantity by day otherwise.

    A quantity of zero (a flat fee without seats) counts as one. Neighbouring days with the same
    quantity are one band, whatever their price.
    """
    found: list[Band] = []
    for s in sorted(line.segments, key=lambda s: s.starts_on):
        if s.ends_on is not None and s.ends_on <= s.starts_on:
            continue
        quantity = s.quantity or Decimal(1)
        end = s.ends_on or dt.date.max
        last = found[-1] if found else None
        if last and last.end == s.starts_on and last.quantity == quantity:
            found[-1] = Band(last.start, end, quantity)
        else:
            found.append(Band(s.starts_on, end, quantity))
    if line.kind.value in ("one_time", "prepaid") and found:
        return (Band(found[0].start, found[0].start + ONE_DAY),)
    return tuple(found)


def stated(timeline: Timeline, lines: Iterable[int]) -> dict[int, Decimal]:
    """What the charges of the whole term add up to, per line of `lines`; lines without any are zero.

    A line that is billed by schedule or milestones is worth what its price says, billed or not.
    """
    wanted = set(lines)
    fixed = replace(timeline, lines=tuple(at_price(line) for line in timeline.lines if line.id in wanted))
    ends = [s.ends_on or s.starts_on for line in fixed.lines for s in line.segments]
    totals = dict.fromkeys(wanted, ZERO)
    if ends:
        for charge in expected(fixed, {}, max(ends) + ONE_DAY):
            totals[charge.line] += charge.amount
    return totals


def offer(timeline: Timeline, fixed: Iterable[int], on: dt.date, prices: Prices) -> Offer:
    """The promises of the lines in `fixed`; `on` dates the stand-alone prices."""
    wanted = set(fixed)
    price = stated(timeline, wanted)
    standalone = stated(prices.at_list(timeline), wanted) if prices.differ(timeline) else price
    promises, ssps = [], {}
    for line in timeline.lines:
        if line.id not in wanted:
            continue
        service = bands(line)
        entry = prices.entry(line, service, on)
        ssps[line.id] = Ssp("entry", (entry.id,)) if entry else Ssp("list_price")
        worth = entry.amount if entry else standalone[line.id]
        promises.append(Promise(line.id, price[line.id], worth, service))
    return Offer(tuple(promises), ssps)
