"""Whole-number quantities out of fractional usage, with the remainder carried.

AWS Marketplace meters an integer per customer, dimension and hour, and the first write wins. Rounding each
hour would lose or invent usage, so each hour sends the floor of what is due and carries the rest:
whatever the split into hours, the sum sent is the floor of the sum used.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from fractions import Fraction

MAX_QUANTITY = 2_147_483_647
"""Largest Quantity of a UsageRecord (botocore service model, meteringmarketplace 2016-01-14)."""


@dataclass(frozen=True, slots=True)
class HourUsage:
    """What one hour holds, in the meter's own unit. `late` is usage of hours that were frozen before."""

    hour: datetime
    used: Decimal
    late: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class FrozenHour:
    """One hour ready to be sent. carry_in + used + late = quantity x per_unit + carry_out, exactly."""

    hour: datetime
    used: Decimal
    late: Decimal
    carry_in: Decimal
    quantity: int
    carry_out: Decimal


def whole_units(available: Decimal, per_unit: Decimal) -> tuple[int, Decimal]:
    """Split `available` (meter's unit) into whole dimension units and the remainder (meter's unit).

    A correction can make `available` negative: nothing is sent and the debt is carried, because the
    service has no negative usage. A quantity above the service's limit is capped and the rest carried.

    >>> whole_units(Decimal("12.50"), Decimal("0.01"))
    (1250, Decimal('0.00'))
    >>> whole_units(Decimal("2500"), Decimal("1000"))
    (2, Decimal('500'))
    """
    if per_unit <= 0:
        raise ValueError(f"a dimension unit must hold a positive amount of the meter's unit, not {per_unit}")
    quantity = min(max(Fraction(available) // Fraction(per_unit), 0), MAX_QUANTITY)
    with localcontext(prec=60):
        return int(quantity), available - per_unit * int(quantity)


def freeze(hours: Iterable[HourUsage], *, carry_in: Decimal, per_unit: Decimal) -> list[FrozenHour]:
    """Freeze consecutive hours of one agreement dimension, each starting from the remainder before it."""
    frozen = []
    for usage in hours:
        with localcontext(prec=60):
            available = carry_in + usage.used + usage.late
        quantity, carry_out = whole_units(available, per_unit)
        frozen.append(FrozenHour(usage.hour, usage.used, usage.late, carry_in, quantity, carry_out))
        carry_in = carry_out
    return frozen
