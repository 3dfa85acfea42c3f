"""What the books carry an open item at, in the functional currency."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from django.db.models import F, Sum

from o2c.ledger.models import JournalLine
from o2c.money import quantize

ZERO = Decimal(0)


def carried(account: str, references: Iterable[str]) -> dict[str, Decimal]:
    """Functional balance (debit positive) of an account by reference, from the journals."""
    rows = (
        JournalLine.objects.filter(account__code=account, reference__in=list(references))
        .values("reference")
        .annotate(balance=Sum(F("functional_debit") - F("functional_credit")))
        .values_list("reference", "balance")
    )
    return dict(rows)


def share(balance: Decimal, part: Decimal, whole: Decimal, currency: str) -> Decimal:
    """The functional amount that moves when `part` of an open `whole` moves; the last part takes the rest.

    >>> share(Decimal("100.01"), Decimal("30"), Decimal("90"), "USD")
    Decimal('33.34')
    """
    if part == whole:
        return balance
    return quantize(Fraction(balance) * Fraction(part) / Fraction(whole), currency)
