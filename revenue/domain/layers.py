"""Foreign currency: what a balance is worth in the entity's own currency when part of it leaves.

A contract liability is non-monetary (IFRIC 22.8-9, ASC 830-10-45-18): each advance keeps the rate of
its own day, and revenue released from it takes the weighted average of what is in. Amounts beyond
the advance are earned at the rate of the day. What is owed to us is monetary and is measured at the
closing rate. A balance of zero in the document's currency is worth zero: the last release takes
whatever is left, so that no difference is stranded.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from o2c.money import quantize


@dataclass(frozen=True, slots=True)
class Layer:
    """A balance: positive is a liability. `functional` is its worth in the entity's currency."""

    amount: Decimal = Decimal(0)
    functional: Decimal = Decimal(0)

    def __add__(self, other: Layer) -> Layer:
        return Layer(self.amount + other.amount, self.functional + other.functional)

    def __sub__(self, other: Layer) -> Layer:
        return Layer(self.amount - other.amount, self.functional - other.functional)


def release(balance: Layer, amount: Decimal, rate: Decimal, currency: str) -> Decimal:
    """Functional amount of releasing `amount` from the liability `balance`.

    `rate` is the rate of the day (functional per unit), used for the part beyond the liability;
    `currency` is the functional currency. A negative amount (a credit to revenue) goes back at the
    average of the balance, or at the rate of the day when nothing is in.

    200 in at 1.50; 450 earned when the rate is 1.70: 300 + 250 x 1.70 = 725.
    """
    if balance.amount <= 0:
        return quantize(amount * rate, currency)  # rounding: translation at the rate of the day
    if amount == balance.amount:
        return balance.functional
    average = Fraction(balance.functional) / Fraction(balance.amount)
    if amount < balance.amount:
        return quantize(Fraction(amount) * average, currency)  # rounding: weighted average layer
    beyond = Fraction(amount - balance.amount) * Fraction(rate)
    return balance.functional + quantize(beyond, currency)  # rounding: translation of the part beyond


def settle(owed: Layer, credit: Layer, currency: str) -> Decimal:
    """Exchange difference when `credit` (an invoice) meets a balance that is owed to us (negative).

    The covered part of the credit replaces the asset; the asset's own worth and the credit's worth
    differ by what the rate did in between: gain positive, loss negative.
    """
    if owed.amount >= 0 or credit.amount <= 0:
        return Decimal(0)
    covered = min(-owed.amount, credit.amount)
    # rounding: the covered share of each side, in the functional currency
    came = quantize(Fraction(credit.functional) * Fraction(covered) / Fraction(credit.amount), currency)
    went = quantize(Fraction(-owed.functional) * Fraction(covered) / Fraction(-owed.amount), currency)
    return came - went


def remeasure(balance: Layer, closing_rate: Decimal, currency: str) -> Decimal:
    """Change of a monetary balance's functional amount to bring it to the closing rate."""
    # rounding: translation at the closing rate
    return quantize(balance.amount * closing_rate, currency) - balance.functional
