"""What a prepaid commitment earns, month by month, as its credit is drawn, and when the rest lapses.

Which usage draws which credit is billing's (`billing.domain.grants`): the accrual and the invoice agree.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from o2c.money import quantize

ZERO = Decimal(0)
Months = dict[dt.date, Decimal]


@dataclass(frozen=True, slots=True)
class Commitment:
    """A prepayment of `amount` that sold credit of `face`.

    9,000.00 paid for credit of 10,000.00 earns 0.90 for every 1.00 of usage at list price.
    """

    amount: Decimal
    face: Decimal


def earn(
    commitment: Commitment, drawn: Mapping[dt.date, Decimal], lapsed: Mapping[dt.date, Decimal], currency: str
) -> tuple[Months, Months]:
    """Revenue and breakage by month, from the credit drawn and lapsed in each.

    1,000.00 for credit of 1,000.00; 600.00 drawn in May, 300.00 in June when the rest lapses: revenue 600.00
    and 300.00, breakage 100.00 in June. Both together are what the price comes to for all credit that is gone
    by then, so that the last of it takes what rounding left over.
    """
    used: Months = {}
    expired: Months = {}
    gone = reached = ZERO
    for month in sorted(drawn.keys() | lapsed.keys()):
        for part, into in ((drawn.get(month, ZERO), used), (lapsed.get(month, ZERO), expired)):
            if part:
                gone += part
                worth = _worth(commitment, gone, currency)
                into[month] = worth - reached
                reached = worth
    return used, expired


def _worth(commitment: Commitment, gone: Decimal, currency: str) -> Decimal:
    if not commitment.face:
        return ZERO
    # rounding: cumulative, so that every prefix ties
    return quantize(Fraction(commitment.amount) * Fraction(gone) / Fraction(commitment.face), currency)
