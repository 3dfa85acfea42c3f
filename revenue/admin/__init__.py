"""What people see of revenue: contracts, recognition, the close, exports, reports."""

from revenue.admin import close, contracts, exports, judgements, recognition, ssp

__all__ = ["close", "contracts", "exports", "judgements", "recognition", "ssp"]
