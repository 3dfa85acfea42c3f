"""Figures for home: billed, owed, paid. Per currency; amounts of different currencies are never added up."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from django.db.models import Count, F, Sum
from django.db.models.functions import TruncMonth

from billing.models import Invoice, InvoiceLine, Receipt
from billing.selectors import ageing
from o2c.money import quantize
from o2c.money.arithmetic import round_half_up
from o2c.periods import add_months, month_start

DSO_MONTHS = 3
DSO_DAYS = 91
ZERO = Decimal(0)


def billed_in_month(day: dt.date) -> dict[str, tuple[Decimal, int]]:
    """Net of the documents issued in the month of `day`, credits subtracted, and their number."""
    start = month_start(day)
    rows = (
        Invoice.objects.posted()
        .filter(issue_date__gte=start, issue_date__lt=add_months(start, 1))
        .values("currency")
        .annotate(net=Sum("net"), documents=Count("pk"))
        .order_by("currency")
    )
    return {row["currency"]: (row["net"], row["documents"]) for row in rows}


def billed_by_month(day: dt.date, months: int = 12) -> list[tuple[dt.date, dict[str, Decimal]]]:
    """Net by month and currency, the month of `day` last; months without any billing are there."""
    first = add_months(month_start(day), 1 - months)
    rows = (
        Invoice.objects.posted()
        .filter(issue_date__gte=first, issue_date__lte=day)
        .annotate(month=TruncMonth("issue_date"))
        .values("month", "currency")
        .annotate(net=Sum("net"))
        .order_by("month")
    )
    found: dict[dt.date, dict[str, Decimal]] = {add_months(first, n): {} for n in range(months)}
    for row in rows:
        found[row["month"]][row["currency"]] = row["net"]
    return sorted(found.items())


def days_sales_outstanding(as_of: dt.date) -> dict[str, Decimal]:
    """DSO per currency: receivable / gross sales of the last three months x 91; none without sales."""
    since = add_months(as_of, -DSO_MONTHS)
    sales = dict(
        Invoice.objects.posted()
        .filter(channel=Invoice.Channel.DIRECT, issue_date__gt=since, issue_date__lte=as_of)
        .values("currency")
        .annotate(sales=Sum("total"))
        .order_by()
        .values_list("currency", "sales")
    )
    owed = ageing.total(as_of)
    return {
        currency: round_half_up(Fraction(owed[currency].total) * DSO_DAYS / Fraction(amount), 1)
        for currency, amount in sales.items()
        if amount > 0 and currency in owed
    }


def unapplied_cash() -> dict[str, tuple[Decimal, int]]:
    """What is on account per currency, and in how many receipts."""
    rows = (
        Receipt.objects.unapplied()
        .values("currency")
        .annotate(left=Sum(F("amount") - F("applied")), receipts=Count("pk"))
        .order_by()
    )
    return {row["currency"]: (row["left"], row["receipts"]) for row in rows}


def of_orders(order_ids: Sequence[int]) -> dict[str, tuple[Decimal, Decimal, int]]:
    """Billed with tax and settled, per currency, for the lines of these orders, and the documents' number.

    Of a document that other orders share, the settled part counts in proportion.
    """
    rows = (
        InvoiceLine.objects.filter(order_line__order__in=order_ids, invoice__state=Invoice.State.POSTED)
        .values("invoice_id", "invoice__currency", "invoice__total", "invoice__applied")
        .annotate(gross=Sum(F("net") + F("tax")))
        .order_by()
    )
    found: dict[str, tuple[Decimal, Decimal, int]] = defaultdict(lambda: (ZERO, ZERO, 0))
    for row in rows:
        currency, total = row["invoice__currency"], row["invoice__total"]
        part = Fraction(row["gross"]) / Fraction(total) if total else Fraction(0)
        settled = quantize(Fraction(row["invoice__applied"]) * part, currency)
        billed, paid, count = found[currency]
        found[currency] = (billed + row["gross"], paid + settled, count + 1)
    return dict(found)


def of_customers(customer_ids: Sequence[int]) -> dict[str, tuple[Decimal, Decimal, int]]:
    """Billed with tax and settled, per currency, for these customers, and the documents' number."""
    rows = (
        Invoice.objects.posted()
        .filter(customer__in=customer_ids)
        .values("currency")
        .annotate(billed=Sum("total"), settled=Sum("applied"), documents=Count("pk"))
        .order_by()
    )
    return {row["currency"]: (row["billed"], row["settled"], row["documents"]) for row in rows}
