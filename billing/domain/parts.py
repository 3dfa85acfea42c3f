"""Usage charges cut by days: at the ends of months, and where a grant begins or expires.

A part is the charge rated to the part's end less what its earlier parts came to, so the parts sum to the
charge, tiers and packages included. Where rating to an earlier day comes to more than to a later one (the
latest value of a level that fell), the charge is one part. What was cut when it was billed stays cut like
that, whatever grants came since.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from billing.domain.charges import accrued
from billing.domain.types import Charge, Key, Line, Timeline, Usage
from o2c.money import allocate
from o2c.periods import add_months, month_start

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Span:
    """`amount` of a charge belongs to the days [starts, ends)."""

    starts: dt.date
    ends: dt.date
    amount: Decimal


def cuts_of(starts: dt.date, ends: dt.date, days: Iterable[dt.date]) -> list[dt.date]:
    """The days strictly inside [starts, ends) at which a charge is cut, ascending."""
    found = {day for day in days if starts < day < ends}
    month = add_months(month_start(starts), 1)
    while month < ends:
        found.add(month)
        month = add_months(month, 1)
    return sorted(found)


ToDate = Mapping[dt.date, Mapping[Key, Decimal]]
"""By day: what each charge comes to before it."""

Recorded = Mapping[Key, Sequence[tuple[dt.date, dt.date]]]
"""The days [starts, ends) of the parts in which a charge was billed, in order."""


def cuts(charge: Charge, days: Sequence[dt.date], recorded: Recorded) -> list[dt.date]:
    """The days strictly inside the charge at which it is cut, ascending."""
    known = recorded.get(charge.key, ())
    if not known:
        return cuts_of(charge.service_from, charge.service_to, days)
    inside = [starts for starts, _ in known if charge.service_from < starts < charge.service_to]
    ends = known[-1][1]
    if ends >= charge.service_to:
        return inside
    return [*inside, ends, *cuts_of(ends, charge.service_to, days)]


def to_date(timeline: Timeline, line: Line, usage: Usage, days: Iterable[dt.date]) -> ToDate:
    """What the charges of one usage line come to before each of `days`."""
    alone = replace(timeline, lines=(line,), commitments=())
    return {day: {c.key: c.amount for c in accrued(alone, usage, day)} for day in sorted(set(days))}


def spans(charge: Charge, at: Sequence[dt.date], reached: ToDate) -> list[Span]:
    """The parts of a charge cut at these days, in order of time."""
    before, starts, rows = ZERO, charge.service_from, []
    for day in at:
        amount = reached[day].get(charge.key, ZERO)
        rows.append(Span(starts, day, amount - before))
        before, starts = amount, day
    rows.append(Span(starts, charge.service_to, charge.amount - before))
    if any(row.amount < 0 for row in rows):
        return [Span(charge.service_from, charge.service_to, charge.amount)]
    return rows


def spread(total: Decimal, over: Sequence[Span], currency: str) -> dict[dt.date, Decimal]:
    """A total whose parts were not recorded, over these parts in proportion, by first day."""
    if not over:
        return {}
    weights = [abs(span.amount) for span in over]
    if not any(weights):
        weights = [Decimal(0)] * (len(over) - 1) + [Decimal(1)]
    shares = allocate(abs(total), weights, currency)
    sign = -1 if total < 0 else 1
    return {span.starts: sign * share for span, share in zip(over, shares, strict=True)}
