"""An amount and its currency as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from o2c.errors import InvalidInput
from o2c.money.arithmetic import allocate, exact, minor_units, quantize


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency. Refuses floats; never mixes currencies."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        minor_units(self.currency)
        if not isinstance(self.amount, Decimal):
            object.__setattr__(self, "amount", Decimal(exact(self.amount).numerator))
            if exact(self.amount).denominator != 1:
                raise InvalidInput("Money takes a Decimal or a whole number")
        if not self.amount.is_finite():
            raise InvalidInput(f"{self.amount} is not an amount of money")

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise InvalidInput(
                f"{self.currency} and {other.currency} cannot be combined",
                remedy="Translate at a dated exchange rate first",
            )

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.amount <= other.amount

    def __bool__(self) -> bool:
        return bool(self.amount)

    def rounded(self) -> Money:
        return Money(quantize(self.amount, self.currency), self.currency)

    def allocate(self, weights: Sequence[int | Decimal]) -> list[Money]:
        return [Money(part, self.currency) for part in allocate(self.amount, weights, self.currency)]

    def __str__(self) -> str:
        return f"{self.amount:,.{minor_units(self.currency)}f} {self.currency}"
