"""Comparing two sides of a reconciliation leg: key by key, within a stated tolerance, nothing lost.

For every leg sum of left - sum of right = sum of of all deltas, those tolerated and those that became breaks.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Item:
    """One key of a leg with both sides. `tolerance` is the largest difference that is no break."""

    key: Any
    left: Decimal
    right: Decimal
    tolerance: Decimal = ZERO
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def delta(self) -> Decimal:
        return self.left - self.right

    @property
    def differs(self) -> bool:
        return abs(self.delta) > self.tolerance


@dataclass(frozen=True, slots=True)
class Leg:
    """A compared leg."""

    name: str
    items: tuple[Item, ...]

    @property
    def left(self) -> Decimal:
        return sum((item.left for item in self.items), ZERO)

    @property
    def right(self) -> Decimal:
        return sum((item.right for item in self.items), ZERO)

    @property
    def differing(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.differs)


def compare(
    name: str,
    left: Mapping[K, Decimal],
    right: Mapping[K, Decimal],
    *,
    tolerance: Mapping[K, Decimal] | Decimal = ZERO,
    context: Mapping[K, Mapping[str, Any]] | None = None,
    only: Iterable[K] | None = None,
) -> Leg:
    """Join both sides on their keys; a key on one side only has zero on the other.

    `only` limits the leg to keys that are due to be compared now.
    """
    keys = set(left) | set(right)
    if only is not None:
        keys &= set(only)
    context = context or {}
    items = tuple(
        Item(
            key,
            left.get(key, ZERO),
            right.get(key, ZERO),
            tolerance if isinstance(tolerance, Decimal) else tolerance.get(key, ZERO),
            context.get(key, {}),
        )
        for key in sorted(keys, key=str)
    )
    return Leg(name, items)


def price_tolerance(amount: Decimal, lines: int, *, per_line: Decimal, share: Decimal) -> Decimal:
    """max(one penny per line, 0.005 % of the amount): the rounding that two independent sums may show."""
    return max(per_line * lines, abs(amount) * share)
