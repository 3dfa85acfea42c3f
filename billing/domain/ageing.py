"""How old a debt is: buckets by days past due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

BUCKETS: tuple[tuple[str, int], ...] = (("current", 0), ("1-30", 30), ("31-60", 60), ("61-90", 90))
OLDEST = "90+"
NAMES: tuple[str, ...] = (*(name for name, _ in BUCKETS), OLDEST)
ZERO = Decimal(0)


def bucket(due: dt.date, as_of: dt.date) -> str:
    """The bucket of a debt due on `due`. On the due date itself it is current.

    >>> bucket(dt.date(2026, 8, 31), dt.date(2026, 9, 1)), bucket(dt.date(2026, 8, 31), dt.date(2026, 8, 31))
    ('1-30', 'current')
    """
    days = (as_of - due).days
    return next((name for name, last in BUCKETS if days <= last), OLDEST)


@dataclass(frozen=True, slots=True)
class Item:
    """An open document: `amount` is still owed, negative for an unused credit memo."""

    due: dt.date
    amount: Decimal
    disputed: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Ageing:
    """Open amounts by bucket in one currency. `disputed` is part of `total`; `unapplied` is beside it."""

    buckets: dict[str, Decimal] = field(default_factory=dict)
    disputed: Decimal = ZERO
    unapplied: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return sum(self.buckets.values(), ZERO)

    @property
    def overdue(self) -> Decimal:
        return self.total - self.buckets["current"]

    @property
    def balance(self) -> Decimal:
        """What the customer owes once the cash on account is counted."""
        return self.total - self.unapplied


def age(items: Iterable[Item], as_of: dt.date, unapplied: Decimal = ZERO) -> Ageing:
    """Sum the open items by bucket. An unused credit memo is never past due: it counts as current."""
    buckets = dict.fromkeys(NAMES, ZERO)
    disputed = ZERO
    for item in items:
        buckets[bucket(item.due, as_of) if item.amount > 0 else NAMES[0]] += item.amount
        disputed += item.disputed
    return Ageing(buckets, disputed, unapplied)
