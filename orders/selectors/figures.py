"""Figures about the order book, for cards and charts."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal

from django.db.models import Count
from django.db.models.functions import TruncMonth

from o2c.periods import add_months, month_start
from orders.models import Entitlement, Order
from orders.selectors.value import order_values


def active_orders() -> int:
    """Orders that are active now."""
    return Order.objects.filter(state=Order.State.ACTIVE).count()


def signed_by_month(day: dt.date, months: int = 12) -> list[tuple[dt.date, dict[str, Decimal]]]:
    """Committed value of the orders signed in each of the last `months` months up to `day`, by currency."""
    since = add_months(month_start(day), 1 - months)
    rows = Order.objects.filter(signed_on__gte=since, signed_on__lte=day).exclude(state=Order.State.DRAFT)
    signed = {pk: (on, currency) for pk, on, currency in rows.values_list("pk", "signed_on", "currency")}
    found: dict[dt.date, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for pk, value in order_values(signed).items():
        on, currency = signed[pk]
        if on is not None:
            found[month_start(on)][currency] += value
    return [(month, dict(found[month])) for k in range(months) if (month := add_months(since, k))]


def ending_by_month(day: dt.date, months: int = 12) -> list[tuple[dt.date, int]]:
    """How many active orders end in each of the next `months` months."""
    first = month_start(day)
    rows = (
        Order.objects.filter(state=Order.State.ACTIVE, ends_on__gte=first)
        .annotate(month=TruncMonth("ends_on"))
        .values_list("month")
        .annotate(Count("pk"))
        .order_by("month")
    )
    counted = dict(rows)
    return [(month, counted.get(month, 0)) for k in range(months) if (month := add_months(first, k))]


def provisioning_states() -> dict[str, int]:
    """Entitlements by state."""
    rows = Entitlement.objects.values_list("state").annotate(Count("pk")).order_by()
    return dict(rows)
