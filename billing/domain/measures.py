"""What was consumed in a slot, by dimensions: the input of a price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from billing.domain.types import Dimensions

ZERO = Fraction(0)
ONE = Fraction(1)


@dataclass(frozen=True, slots=True)
class Measure:
    """A quantity and the events behind it.

    `transactions` are the single quantities, for prices with a floor or ceiling per transaction. `levels`
    are (share of the period, level) pairs of a quantity that varies over time, summing over time to
    `quantity`; for prices that prorate their tiers.
    """

    quantity: Fraction
    count: int = 0
    transactions: tuple[Fraction, ...] = ()
    levels: tuple[tuple[Fraction, Fraction], ...] = ()

    def __add__(self, other: Measure) -> Measure:
        return Measure(
            self.quantity + other.quantity,
            self.count + other.count,
            self.transactions + other.transactions,
            self.levels + other.levels,
        )


Measures = Mapping[Dimensions, Measure]


def of_quantity(quantity: Fraction) -> dict[Dimensions, Measure]:
    """A plain quantity without dimensions: seats, or units of a one-time sale."""
    return {(): Measure(quantity)}


def merged(measures: Iterable[Measures]) -> dict[Dimensions, Measure]:
    """The sum of several, by dimensions."""
    total: dict[Dimensions, Measure] = {}
    for part in measures:
        for dimensions, measure in part.items():
            known = total.get(dimensions)
            total[dimensions] = known + measure if known else measure
    return total


def combined(measures: Measures) -> Measure:
    """All dimensions as one."""
    total = Measure(ZERO)
    for measure in measures.values():
        total = total + measure
    return total


def picked(measures: Measures, names: tuple[str, ...]) -> dict[Dimensions, Measure]:
    """Grouped by some of the dimensions only; an absent dimension groups as the empty value."""
    grouped: dict[Dimensions, Measure] = {}
    for dimensions, measure in measures.items():
        values = dict(dimensions)
        key = tuple((name, values.get(name, "")) for name in names)
        known = grouped.get(key)
        grouped[key] = known + measure if known else measure
    return grouped
