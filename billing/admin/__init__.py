"""Pages of billing in the console."""

from billing.admin import (  # noqa: F401
    delivery,
    disputes,
    divergences,
    grants,
    invoices,
    receipts,
    refunds,
    reminders,
    runs,
    tax,
    usage,
)
