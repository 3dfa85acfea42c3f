"""The arithmetic of a document: net, tax, total. What does not add up cannot be constructed.

Rounding, in order:
1. the net of a line is rounded once, where the charge is made;
2. the tax of a rate is `quantize(sum of the nets at that rate x rate)`, once per document and rate
   (the level that EN 16931 checks, BR-S-09);
3. that tax is spread over the lines by cumulative rounding: each line gets the rounded tax up to and
   with it, minus the rounded tax before it, so that the parts sum to the whole whatever their signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from o2c.errors import InvalidInput
from o2c.money import quantize

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Taxed:
    """One amount with and without tax. Refuses to exist when net + tax is not the total."""

    net: Decimal
    tax: Decimal
    total: Decimal

    def __post_init__(self) -> None:
        if self.net + self.tax != self.total:
            raise InvalidInput(f"Net {self.net} and tax {self.tax} do not make {self.total}")

    @classmethod
    def of(cls, net: Decimal, tax: Decimal) -> Taxed:
        return cls(net, tax, net + tax)


@dataclass(frozen=True, slots=True)
class TaxKey:
    """What tax is summed by: the name on the document and the rate as a fraction."""

    name: str
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """`line_taxes` in the order of the lines; `by_rate` in the order of first appearance."""

    line_taxes: tuple[Decimal, ...]
    by_rate: tuple[tuple[TaxKey, Taxed], ...]
    document: Taxed


def totals(lines: Sequence[tuple[Decimal, TaxKey]], currency: str) -> Totals:
    """Tax and totals of a document from the rounded nets of its lines.

    Three lines of 0.10 at 19 %: tax 0.057 -> 0.06 on the document, lines 0.02, 0.02, 0.02; rounded
    line by line it would be 0.06 too, but for 0.13 three times it is 0.07 here and 0.06 there.

    >>> key = TaxKey("VAT", Decimal("0.19"))
    >>> totals([(Decimal("0.13"), key)] * 3, "EUR").document
    Taxed(net=Decimal('0.39'), tax=Decimal('0.07'), total=Decimal('0.46'))
    """
    taxes = [ZERO] * len(lines)
    by_rate: list[tuple[TaxKey, Taxed]] = []
    for key in dict.fromkeys(key for _, key in lines):
        positions = [i for i, (_, own) in enumerate(lines) if own == key]
        net, tax = ZERO, ZERO
        for i in positions:
            net += lines[i][0]
            rounded = quantize(Fraction(net) * Fraction(key.rate), currency)  # rounding 2 and 3
            taxes[i] = rounded - tax
            tax = rounded
        by_rate.append((key, Taxed.of(net, tax)))
    document = Taxed.of(
        sum((taxed.net for _, taxed in by_rate), ZERO), sum((taxed.tax for _, taxed in by_rate), ZERO)
    )
    return Totals(tuple(taxes), tuple(by_rate), document)


@dataclass(frozen=True, slots=True)
class Creditable:
    """A posted line and what was credited of it so far, with the sign of the line."""

    net: Decimal
    tax: Decimal
    credited_net: Decimal = ZERO
    credited_tax: Decimal = ZERO

    @property
    def remaining_net(self) -> Decimal:
        return self.net - self.credited_net

    @property
    def remaining_tax(self) -> Decimal:
        return self.tax - self.credited_tax


def credit(line: Creditable, net: Decimal, currency: str) -> Taxed:
    """What a credit of `net` of a posted line gives back, with its share of the tax that was billed.

    Amounts have the sign of the line (a negative line, as in a correction, is credited by a negative
    amount). The tax of all credits together is the rounded share of the tax billed, so credits in
    parts and one credit of the whole end at the same cent, and the last one takes the rest.

    >>> line = Creditable(Decimal("100.00"), Decimal("8.88"), Decimal("33.33"), Decimal("2.96"))
    >>> credit(line, Decimal("66.67"), "USD").tax
    Decimal('5.92')

    Raises InvalidInput for nothing, the wrong sign, fractions of a minor unit, or more than is left.
    """
    if net == 0 or (net > 0) != (line.net > 0) or net != quantize(net, currency):
        raise InvalidInput(
            f"{net} {currency} of a line of {line.net} cannot be credited",
            remedy="Give an amount with the sign of the line, in whole minor units",
        )
    if abs(net) > abs(line.remaining_net):
        raise InvalidInput(
            f"{net} {currency} would be credited and {line.remaining_net} is left of the line",
            remedy="Credit at most what was billed and not credited yet",
            code="credit_exceeds_billed",
        )
    if net == line.remaining_net:
        return Taxed.of(net, line.remaining_tax)
    share = Fraction(line.credited_net + net) / Fraction(line.net)
    return Taxed.of(net, quantize(Fraction(line.tax) * share, currency) - line.credited_tax)
