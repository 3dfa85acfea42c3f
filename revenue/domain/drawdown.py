"""Which usage a prepaid commitment covers, month by month, and what is left when it expires."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from o2c.money import quantize
from revenue.domain.allocation import split
from revenue.domain.breakage import drawdown, expire

ZERO = Decimal(0)
Months = dict[dt.date, Decimal]


@dataclass(frozen=True, slots=True)
class Commitment:
    """A prepayment of `amount` that covers usage worth `face`, on [starts_on, ends_on); None: without end.

    9,000.00 paid for credits of 10,000.00 earns 0.90 for every 1.00 of usage at list price.
    """

    line: int
    amount: Decimal
    face: Decimal
    starts_on: dt.date
    ends_on: dt.date | None


@dataclass(frozen=True, slots=True)
class Drawn:
    """By line and month: revenue of commitments, their breakage, and usage beyond them."""

    used: dict[int, Months]
    expired: dict[int, Months]
    beyond: dict[int, Months]


def draw(
    commitments: Sequence[Commitment],
    usage: Mapping[int, Mapping[dt.date, Decimal]],
    until: dt.date,
    currency: str,
) -> Drawn:
    """Cover the usage of each month from the commitments that hold in it, the oldest first.

    1,000.00 prepaid; 600.00 used in May, 700.00 in June: the commitment earns 600.00 and 400.00, and
    300.00 of June is beyond it. What is left when the commitment ends is breakage of its last month.
    """
    used: dict[int, Months] = {c.line: {} for c in commitments}
    beyond: dict[int, Months] = {line: {} for line in usage}
    left = {c.line: c.face for c in commitments}
    earned = {c.line: ZERO for c in commitments}
    in_order = sorted(commitments, key=lambda c: (c.starts_on, c.line))
    for month in sorted({month for months in usage.values() for month in months}):
        amounts = {line: months[month] for line, months in usage.items() if month in months}
        open_amount = sum(amounts.values(), ZERO)
        for c in in_order:
            if not _holds(c, month):
                continue
            taken = drawdown(left[c.line], max(open_amount, ZERO), currency).burned
            if taken:
                left[c.line] -= taken
                open_amount -= taken
                reached = _worth(c, c.face - left[c.line], currency)
                used[c.line][month] = reached - earned[c.line]
                earned[c.line] = reached
        for line, part in _share(open_amount, amounts, currency).items():
            beyond[line][month] = part
    expired: dict[int, Months] = defaultdict(dict)
    for c in commitments:
        rest = expire(c.amount, earned[c.line])
        if c.ends_on is not None and c.ends_on <= until and rest:
            last = (c.ends_on - dt.timedelta(days=1)).replace(day=1)
            expired[c.line][last] = rest
    return Drawn(used, dict(expired), beyond)


def _worth(commitment: Commitment, burned: Decimal, currency: str) -> Decimal:
    """Revenue of what was burned to date; the whole price once all is burned."""
    if not commitment.face:
        return ZERO
    # rounding: cumulative, so that every prefix ties
    return quantize(Fraction(commitment.amount) * Fraction(burned) / Fraction(commitment.face), currency)


def _holds(commitment: Commitment, month: dt.date) -> bool:
    """A commitment covers the months that it touches."""
    starts = commitment.starts_on.replace(day=1)
    return starts <= month and (commitment.ends_on is None or month < commitment.ends_on)


def _share(amount: Decimal, amounts: Mapping[int, Decimal], currency: str) -> dict[int, Decimal]:
    """What is beyond, over the lines that used it."""
    if not any(amounts.values()):
        return dict(amounts)
    weights = [abs(part) for part in amounts.values()]
    return dict(zip(amounts, split(amount, weights, currency), strict=True))
