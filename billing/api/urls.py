"""Addresses of billing, under /api/v1/."""

from billing.api import usage

urlpatterns = [*usage.urlpatterns]
