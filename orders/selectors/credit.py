"""Where customers stand with their credit, and what orders ask of it. The database does the sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from django.db import connection

from orders.domain.credit import Asked, Release, Standing
from orders.models import BillingTerms, CreditRelease, Customer, Order

STANDING = """
SELECT p.customer, c.number || ' ' || c.name, c.currency, p.decision, p.credit_limit, p.held, p.receivable,
       p.unbilled
FROM o2c_credit_standing(%s) p JOIN orders_customer c ON c.id = p.customer
"""


def standings(customers: Iterable[int]) -> dict[int, Standing]:
    """Where each customer stands now: decision in force and exposure (orders/domain/credit.py). One query."""
    with connection.cursor() as cursor:
        cursor.execute(STANDING, [list(customers)])
        return {row[0]: Standing(*row[1:]) for row in cursor.fetchall()}


def standing_of(customer: Customer) -> Standing:
    """Where one customer stands."""
    return standings([customer.pk])[customer.pk]


def credit_of(
    orders: Sequence[Order], values: Mapping[int, Decimal], *, together: bool = False
) -> dict[int, Asked]:
    """What each order asks for on becoming active, worth `values`; left out are those a marketplace collects.

    `together`: every order counts those of the same customer beside it. Two queries.
    """
    direct = [order for order in orders if order.channel == BillingTerms.Channel.DIRECT]
    if not direct:
        return {}
    where = standings({order.customer_id for order in direct})
    given = releases(order.pk for order in direct)
    added: dict[int, Decimal] = defaultdict(Decimal)
    for order in direct:
        added[order.customer_id] += values[order.pk]
    return {
        order.pk: Asked(
            standing=where[order.customer_id],
            value=values[order.pk],
            added=added[order.customer_id] if together else values[order.pk],
            release=given.get(order.pk),
        )
        for order in direct
    }


def releases(orders: Iterable[int]) -> dict[int, Release]:
    """The newest release of each order that has one. One query."""
    rows = (
        CreditRelease.objects.filter(order__in=list(orders)).order_by("order_id", "-pk").distinct("order_id")
    )
    return {row.order_id: Release(row.pk, row.decision_id, row.covers) for row in rows}
