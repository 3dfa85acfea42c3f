"""Addresses of billing, under /api/v1/."""

from billing.api import grants, invoices, receipts, usage

urlpatterns = [*usage.urlpatterns, *invoices.urlpatterns, *receipts.urlpatterns, *grants.urlpatterns]
