"""Contract assets and liabilities: gross per obligation, net per contract (606-10-45-1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from revenue.domain.allocation import split


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


def attribute(
    billed: Mapping[int, Decimal], allocated: Mapping[int, Decimal], currency: str
) -> dict[int, Decimal]:
    """What to move between the obligations of a contract so that billing follows the allocation.

    Invoices credit the line they bill at its stated price; revenue follows the allocated price. The
    sum billed belongs to the obligations in proportion to what was allocated to them. Positive is
    moved in, negative out; the moves sum to zero, and once all is billed each obligation has
    received exactly its allocation.
    """
    total = sum(billed.values(), Decimal(0))
    keys = sorted(allocated)
    weights = [max(allocated[key], Decimal(0)) for key in keys]
    if not total or not any(weights):
        return {}
    shares = dict(zip(keys, split(total, weights, currency), strict=True))
    moves = {key: shares.get(key, Decimal(0)) - billed.get(key, Decimal(0)) for key in keys}
    return {key: move for key, move in moves.items() if move}
