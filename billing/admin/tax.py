"""Tax rates by jurisdiction."""

from __future__ import annotations

from django.contrib import admin

from billing.models import TaxRate
from o2c.console import RecordAdmin


@admin.register(TaxRate)
class TaxRateAdmin(RecordAdmin):
    area, icon, nav_position = "Billing", "account_balance", 60
    list_display = [
        "country",
        "region",
        "category",
        "name",
        "rate",
        "effective_from",
        "effective_to",
        "source",
    ]
    list_filter = ["country", "category"]
    search_fields = ["country", "region", "category", "name"]
    empty_text = "No rates: load them with manage.py load_tax_rates."
