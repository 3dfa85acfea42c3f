"""What the books carry an open item at, in the functional currency."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from django.db.models import F, Sum

from o2c.errors import InvalidInput
from o2c.ledger.models import ExchangeRate, JournalLine
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


def translated(amount: Decimal, currency: str, functional: str, on: dt.date) -> Decimal:
    """`amount` in the functional currency at the rate of the day `on`, as the ledger translates it.

    Raises InvalidInput when there is no rate on or before that day.
    """
    if currency == functional:
        return amount
    rate = (
        ExchangeRate.objects.filter(from_currency=currency, to_currency=functional, valid_on__lte=on)
        .order_by("-valid_on")
        .values_list("rate", flat=True)
        .first()
    )
    if rate is None:
        raise InvalidInput(
            f"There is no exchange rate from {currency} to {functional} on or before {on}",
            remedy="Load the exchange rates of that day",
        )
    return quantize(Fraction(amount) * Fraction(rate), functional)
