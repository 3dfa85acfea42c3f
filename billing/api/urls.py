"""Addresses of billing, under /api/v1/."""

from billing.api import cash, invoices, usage

urlpatterns = [*usage.urlpatterns, *invoices.urlpatterns, *cash.urlpatterns]
