"""Contract assets and liabilities: gross per obligation, net per contract (606-10-45-1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from o2c.money import quantize
from revenue.domain.allocation import split

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Position:
    """The net of one contract. At most one of the two is not zero.

    `reclass` is, per obligation, the part of its debit balance to show as contract asset.
    """

    liability: Decimal
    asset: Decimal
    reclass: dict[int, Decimal]


def position(balances: Mapping[int, Decimal], currency: str) -> Position:
    """Net the balances (liability positive) of a contract's obligations.

    A contract that is a liability in total has no asset, whatever single obligations show. One that
    is an asset in total shows that total, taken from the obligations in debit in proportion to
    their debits.

    A: -400, B: 0 -> asset 400 (Example 39); A: -40, B: 100 -> liability 60, nothing to reclass.
    """
    net = sum(balances.values(), Decimal(0))
    if net >= 0:
        return Position(net, Decimal(0), {})
    debits = {key: -amount for key, amount in balances.items() if amount < 0}
    parts = split(-net, list(debits.values()), currency)
    return Position(Decimal(0), -net, {k: part for k, part in zip(debits, parts, strict=True) if part})


@dataclass(frozen=True, slots=True)
class Pricing:
    """What a line of a contract was agreed at, and what its obligation was allocated."""

    stated: Decimal
    allocated: Decimal

    @property
    def gives(self) -> Decimal:
        """What of the stated price belongs to other obligations; negative: what others give it."""
        return self.stated - self.allocated


def attribute(
    billed: Mapping[int, Decimal], prices: Mapping[int, Pricing], currency: str
) -> dict[int, Decimal]:
    """What to move between the obligations of a contract so that billing follows the allocation.

    Invoices credit the line they bill at its stated price; revenue follows the allocated price. Of what
    a line was billed, the share of its price that belongs to others leaves it at once; those who were
    allocated more than stated receive it in proportion to that. Positive is moved in, negative out; the
    moves sum to zero, and once all is billed each obligation has received exactly its allocation. So a
    giver that is satisfied and billed has nothing left, and a receiver that is satisfied first is a
    contract asset until its givers are billed.

    Setup 15,000 (allocated 12,000) billed, seats 300,000 (allocated 303,000) not yet: 3,000 move from
    the setup to the seats.
    """
    # rounding: what leaves each giver
    gone = {
        key: quantize(
            Fraction(billed.get(key, ZERO)) * Fraction(price.gives) / Fraction(price.stated), currency
        )
        for key, price in prices.items()
        if price.gives > 0
    }
    receivers = [key for key in sorted(prices) if prices[key].gives < 0]
    pool = sum(gone.values(), ZERO)
    if not pool or not receivers:
        return {}
    shares = split(pool, [-prices[key].gives for key in receivers], currency)
    moves = {key: -amount for key, amount in gone.items()} | dict(zip(receivers, shares, strict=True))
    return {key: move for key, move in moves.items() if move}
