"""Addresses of billing, under /api/v1/."""

from billing.api import grants, invoices, receipts, refunds, usage

urlpatterns = [
    *usage.urlpatterns,
    *invoices.urlpatterns,
    *receipts.urlpatterns,
    *refunds.urlpatterns,
    *grants.urlpatterns,
]
