"""Pages of billing in the console."""

from billing.admin import delivery, disputes, grants, invoices, receipts, reminders, runs, tax, usage  # noqa: F401
