"""Who takes the remainder when a price is billed in parts: 100.00 a year is 99.96 in twelve rounded months.

With `Remainder.EACH` every charge is rounded by itself. Otherwise the charges of one period of the price sum
to that period's total, rounded once, and the first or the last of them takes what is left over.

>>> # 100.00 a year, a twelfth a month: eleven times 8.33 and 8.37 by the last charge
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from billing.domain.grid import line_grid
from billing.domain.types import Charge, Kind, Line, Remainder, Segment
from o2c.money import quantize

ZERO = Decimal(0)


def _applies(line: Line) -> bool:
    return line.remainder is not Remainder.EACH and line.kind is Kind.RECURRING and not line.scheduled


def reach(line: Line, through: dt.date) -> dt.date:
    """How far charges must be known so that every price period that begins before `through` is whole."""
    if not _applies(line) or not line.segments:
        return through
    last = through - dt.timedelta(days=1)
    begins = min(segment.starts_on for segment in line.segments)
    if last < begins:
        return through
    return max(_price_period(line, segment, last)[1] for segment in line.segments)


def spread(line: Line, charges: Sequence[Charge]) -> list[Charge]:
    """The charges with the remainder of each price period on its first or last charge that is not zero.

    Charges that reach beyond a price period (a week at a price per month) keep their own rounding.
    """
    if not _applies(line):
        return list(charges)
    segments = {segment.id: segment for segment in line.segments}
    groups: dict[tuple[dt.date, dt.date], list[int]] = defaultdict(list)
    for index, charge in enumerate(charges):
        period = _price_period(line, segments[charge.segment], charge.service_from)
        if charge.service_to <= period[1] and charge.exact:
            groups[period].append(index)
    found = list(charges)
    for members in groups.values():
        exact = sum((charges[index].exact for index in members), Fraction(0))
        total = quantize(exact, charges[members[0]].currency)
        left = total - sum((charges[index].amount for index in members), ZERO)
        for index in members if line.remainder is Remainder.FIRST else reversed(members):
            if not left:
                break
            one = charges[index]
            taken = max(left, -one.amount)  # a charge does not go below zero: the next one takes the rest
            found[index] = replace(one, amount=one.amount + taken, remainder=taken)
            left -= taken
    return found


def _price_period(line: Line, segment: Segment, day: dt.date) -> tuple[dt.date, dt.date]:
    """The period of the price that holds `day`."""
    grid = line_grid(line, segment.period or line.frequency)
    k = grid.index(day)
    return grid.start(k), grid.start(k + 1)
