"""Documents on their way to customers."""

from __future__ import annotations

from django.contrib import admin

from billing.admin import forms
from billing.models import InvoiceDelivery
from o2c.console import Act, Fact, Panel, RecordAdmin


@admin.register(InvoiceDelivery)
class DeliveryAdmin(RecordAdmin):
    area, icon, nav_position = "Billing", "outgoing_mail", 40
    nav_title = "Deliveries"
    list_display = [
        "invoice",
        "address",
        "occasion",
        "state",
        "attempts",
        "next_attempt_at",
        "sent_at",
        "last_error",
    ]
    list_select_related = ["invoice__customer"]
    list_filter = ["state", "occasion"]
    search_fields = ["invoice__number", "address", "message_id"]
    find_fields = ["address"]
    transition_options = {"abandon": {"reason": "required"}, "retry": {"reason": "optional"}}
    acts = [
        Act(
            "bounce",
            "Record bounce…",
            "billing.services.delivery.record_bounce",
            duty="billing.delivery.record_bounce",
            form=forms.BounceForm,
            unavailable=lambda row, user: [] if row.state == "sent" else ["It was not sent."],
        )
    ]
    empty_text = "Posted documents are queued here by themselves."

    def facts(self, obj: InvoiceDelivery) -> list[Fact]:
        return [
            Fact("Document", obj.invoice),
            Fact("To", obj.address),
            Fact("Attempts", obj.attempts),
            Fact("Sent", obj.sent_at),
            Fact("Message id", obj.message_id),
        ]

    def notices(self, obj: InvoiceDelivery) -> list[tuple[str, str]]:
        if obj.state == InvoiceDelivery.State.UNCONFIRMED:
            return [("warn", "Ask the customer whether it arrived before sending it again.")]
        return [("bad", obj.last_error)] if obj.last_error else []

    def panels(self, obj: InvoiceDelivery) -> list[Panel]:
        return [Panel("Attempts", obj.log.all(), ["recorded_at", "outcome", "detail"], link_rows=False)]
