"""Which invoices a receipt pays: references first, then a unique amount; the rest is for a person.

Never combines a tolerance with a search over sets of invoices: a tolerance destroys uniqueness.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)
# Shorter runs of digits are dates, street numbers and amounts.
SHORTEST_NUMBER = 5


class Tier(StrEnum):
    """How the match was made, the surest first."""

    REFERENCE = "reference"
    UNIQUE_AMOUNT = "amount"
    OLDEST_FIRST = "oldest_first"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An invoice that waits for money; `amount` is what is open, positive."""

    id: int
    number: str
    amount: Decimal
    due: dt.date


@dataclass(frozen=True, slots=True)
class Proposal:
    """Amounts by invoice id, what is left of the receipt, and whether a machine may post it.

    `short` is what stays open of the last invoice named when the receipt does not cover all.
    """

    tier: Tier
    parts: tuple[tuple[int, Decimal], ...]
    rest: Decimal
    certain: bool
    why: str
    short: Decimal = ZERO


def fill(amount: Decimal, items: Sequence[OpenItem]) -> tuple[tuple[tuple[int, Decimal], ...], Decimal]:
    """Spread `amount` over `items` in their order, each up to its open amount; and what is left.

    >>> day = dt.date(2026, 1, 1)
    >>> fill(Decimal(100), [OpenItem(1, "A", Decimal(60), day), OpenItem(2, "B", Decimal(60), day)])
    (((1, Decimal('60')), (2, Decimal('40'))), Decimal('0'))
    """
    parts: list[tuple[int, Decimal]] = []
    for item in items:
        part = min(amount, item.amount)
        if part > 0:
            parts.append((item.id, part))
            amount -= part
    return tuple(parts), amount


def _squeezed(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def named(reference: str, items: Sequence[OpenItem]) -> list[OpenItem]:
    """The items whose number stands in `reference`, whole or as its last digits, unambiguously.

    'US-INV-2026-000123', 'inv 2026/000123' and '000123' all name it; '123' names nothing. Digits
    that fit two open invoices name neither.
    """
    squeezed = _squeezed(reference)
    whole = [item for item in items if _squeezed(item.number) in squeezed]
    if whole:
        return whole
    runs = {run for run in re.findall(r"\d+", reference) if len(run) >= SHORTEST_NUMBER}
    runs |= {run for run in re.findall(r"\d+", squeezed) if len(run) >= SHORTEST_NUMBER}
    found: dict[int, OpenItem] = {}
    for run in sorted(runs):
        fitting = [item for item in items if re.sub(r"\D", "", item.number).endswith(run)]
        if len(fitting) == 1:
            found[fitting[0].id] = fitting[0]
    return [item for item in items if item.id in found]


def propose(amount: Decimal, reference: str, items: Sequence[OpenItem]) -> Proposal:
    """What a receipt of `amount` pays among the open `items` of its payer, in its currency.

    Certain, so that a machine may post it: the invoices named, when the amount is exactly their sum,
    or more (the rest stays on account), or less for a single one named (a part payment). A unique
    equal amount is certain only when no other set the payer could mean is as plausible: no other
    invoice has that amount. Oldest-first is never certain.
    """
    ordered = sorted(items, key=lambda item: (item.due, item.id))
    by_reference = named(reference, ordered) if reference else []
    if by_reference:
        due = sum((item.amount for item in by_reference), ZERO)
        parts, rest = fill(amount, by_reference)
        certain = amount >= due or len(by_reference) == 1
        numbers = ", ".join(item.number for item in by_reference)
        return Proposal(
            Tier.REFERENCE, parts, rest, certain, f"the reference names {numbers}", max(due - amount, ZERO)
        )
    equal = [item for item in ordered if item.amount == amount]
    if len(equal) == 1:
        return Proposal(
            Tier.UNIQUE_AMOUNT,
            ((equal[0].id, amount),),
            ZERO,
            certain=False,
            why=f"only {equal[0].number} is open at {amount}",
        )
    parts, rest = fill(amount, ordered)
    if not parts:
        return Proposal(Tier.NONE, (), amount, certain=False, why="nothing is open")
    return Proposal(Tier.OLDEST_FIRST, parts, rest, certain=False, why="oldest due first")
