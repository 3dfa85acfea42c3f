"""Pages of orders in the console."""

from orders.admin import (  # noqa: F401
    adjustments,
    amendments,
    catalogue,
    customers,
    entitlements,
    intake,
    orders,
    quotes,
)
