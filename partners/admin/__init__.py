"""Pages of partners in the console."""

from partners.admin import agreements, breaks, feeds, metering  # noqa: F401
