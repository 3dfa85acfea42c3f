"""The credit decisions that come with the product, written once, after the migration that brings limits.

A customer about whom nobody decided has the standard limit of its currency: a default limit, as credit
departments keep one for new customers. A currency that is not listed has none, so a limit comes first there.
Customers from before credit limits are not checked until somebody decides about them, and the row says so.
"""

from __future__ import annotations

from decimal import Decimal

from django.apps import AppConfig
from django.db import connection

from o2c.actor import Actor, acting

STANDARD = {
    "USD": Decimal(250_000),
    "EUR": Decimal(250_000),
    "GBP": Decimal(200_000),
    "JPY": Decimal(35_000_000),
}
BEFORE = "Customer from before credit limits: not checked until somebody decides"


def after_migrate(sender: AppConfig, **kwargs: object) -> None:
    """post_migrate of the last app, when the guards of all tables stand."""
    from o2c.access.registry import is_last

    if is_last(sender) and "orders_creditlimit" in connection.introspection.table_names():
        sync()


def sync() -> int:
    """Write the standards, and one row for each customer there is; once. Returns how many rows were new."""
    from orders.models import CreditLimit, Customer

    if CreditLimit.objects.exists():
        return 0
    rows = [
        CreditLimit(currency=currency, amount=amount, shipped=True, reason="Standard that ships")
        for currency, amount in STANDARD.items()
    ]
    rows += [
        CreditLimit(customer_id=pk, amount=None, shipped=True, reason=BEFORE)
        for pk in Customer.objects.order_by("pk").values_list("pk", flat=True)
    ]
    with acting(Actor.installer(), reason="Credit decisions that ship with the product"):
        CreditLimit.objects.bulk_create(rows, batch_size=1000)
    return len(rows)
