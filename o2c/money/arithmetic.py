"""The one rounding of the product, and the one way to split an amount."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cache

from babel.core import get_global

from o2c.errors import InvalidInput

Exact = Fraction | Decimal | int


@cache
def minor_units(currency: str) -> int:
    """Digits after the point of an ISO 4217 currency: JPY 0, USD 2, KWD 3 (Unicode CLDR).

    Raises InvalidInput for a code that CLDR does not know.
    """
    fractions = get_global("currency_fractions")
    if currency in fractions:
        return int(fractions[currency][0])
    if currency not in get_global("all_currencies"):
        raise InvalidInput(f"{currency!r} is not an ISO 4217 currency code", remedy="Use a code such as USD")
    return int(fractions["DEFAULT"][0])


def exact(value: Exact) -> Fraction:
    """`value` as a Fraction. Floats are refused: they are wrong before they arrive."""
    if isinstance(value, float | bool):
        raise InvalidInput(f"{value!r} is not exact", remedy="Pass Decimal, Fraction or int")
    return Fraction(value)


def round_half_up(value: Exact, digits: int) -> Decimal:
    """`value` with `digits` decimals, halves away from zero: 2.345 -> 2.35, -2.345 -> -2.35."""
    scaled = exact(value) * 10**digits
    magnitude = (2 * abs(scaled.numerator) + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(magnitude if scaled >= 0 else -magnitude).scaleb(-digits)


def quantize(value: Exact, currency: str) -> Decimal:
    """`value` in whole minor units of `currency`, halves away from zero.

    The only rounding of money in the product; every caller names its place in a comment.
    """
    return round_half_up(value, minor_units(currency))


def allocate(total: Decimal, weights: Sequence[Exact], currency: str) -> list[Decimal]:
    """Split `total` in proportion to `weights`; the parts always sum to `total`.

    Largest remainder: each part is cut down to the minor unit, and the units left over go to
    the largest cut-off remainders, the first of equals first.

    >>> allocate(Decimal("100.00"), [1, 1, 1], "USD")
    [Decimal('33.34'), Decimal('33.33'), Decimal('33.33')]

    Raises InvalidInput when there is nothing to weigh, a weight is negative, or `total` is not in
    whole minor units.
    """
    unit = Fraction(1, 10 ** minor_units(currency))
    shares = [exact(weight) for weight in weights]
    weight_sum = sum(shares, Fraction(0))
    if weight_sum <= 0 or min(shares) < 0:
        raise InvalidInput("Weights must be positive or zero, and not all zero")
    units = exact(total) / unit
    if units.denominator != 1:
        raise InvalidInput(f"{total} is not in whole minor units of {currency}")
    sign = -1 if units < 0 else 1
    ideal = [abs(units) * share / weight_sum for share in shares]
    parts = [int(share) for share in ideal]
    left = int(abs(units)) - sum(parts)
    by_remainder = sorted(range(len(ideal)), key=lambda i: (parts[i] - ideal[i], i))
    for i in by_remainder[:left]:
        parts[i] += 1
    digits = minor_units(currency)
    return [Decimal(sign * part).scaleb(-digits) for part in parts]
