"""What customers contest."""

from __future__ import annotations

from django.contrib import admin

from billing.admin import forms
from billing.models import Dispute
from o2c.console import Fact, RecordAdmin
from o2c.console import format as fmt
from o2c.console.registry import Anchor


@admin.register(Dispute)
class DisputeAdmin(RecordAdmin):
    area, icon, nav_position = "Cash", "gavel", 40
    list_display = ["invoice", "line", "reason_code", "amount", "opened_on", "state", "credit_memo"]
    list_select_related = ["invoice__customer", "line", "credit_memo"]
    list_filter = ["state", "reason_code"]
    search_fields = ["invoice__number", "description", "invoice__customer__name"]
    transition_options = {
        "accept": {
            "form": forms.OnForm,
            "reason": "required",
            "bulk": False,
            "description": "Drafts the credit memo, which a second person posts.",
        },
        "reject": {"form": forms.OnForm, "reason": "required", "bulk": False},
        "withdraw": {"form": forms.OnForm, "bulk": False},
    }
    empty_text = "Nothing is in dispute. A dispute is opened on an invoice."

    def facts(self, obj: Dispute) -> list[Fact]:
        return [
            Fact("Document", obj.invoice),
            Fact("Customer", obj.invoice.customer),
            Fact("Line", obj.line),
            Fact("Contested", fmt.money(obj.amount, obj.invoice.currency)),
            Fact("Credit memo", obj.credit_memo),
        ]

    def strip_anchor(self, obj: Dispute) -> Anchor:
        return Anchor("customer", (obj.invoice.customer_id,))
