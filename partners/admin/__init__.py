"""Pages of partners in the console."""

from partners.admin import agreements, breaks, feeds, metering, refunds  # noqa: F401
