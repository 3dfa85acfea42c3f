"""Feed files, parked rows, billing events, settlement."""

from typing import Any

from django.contrib import admin

from o2c.console import RecordAdmin
from o2c.console.format import money
from o2c.console.panels import Column, Fact, Panel
from partners.models import BillingEvent, FeedException, FeedFile, SettlementPosting


@admin.register(FeedFile)
class FeedFileAdmin(RecordAdmin):
    area = "Partners"
    icon = "upload_file"
    nav_position = 30
    list_display = ["name", "feed", "snapshot_at", "received", "accepted", "duplicate", "rejected"]
    list_filter = ["feed"]
    search_fields = ["name", "sha256"]
    ordering = ["-pk"]

    def facts(self, obj: Any) -> list[Fact]:
        return [
            Fact("Received", obj.received),
            Fact("New", obj.accepted),
            Fact("Known", obj.duplicate),
            Fact("Parked", obj.rejected),
        ]

    def panels(self, obj: Any) -> list[Panel]:
        return [
            Panel("Parked rows", obj.exceptions.all(), ["line_number", "problem", "state"]),
            Panel("Rows", obj.rows.all(), ["natural_key", "valid_from", "update_date"], link_rows=False),
        ]


@admin.register(FeedException)
class FeedExceptionAdmin(RecordAdmin):
    area = "Partners"
    icon = "report"
    nav_position = 70
    list_display = ["line_number", "file", "problem", "state"]
    list_select_related = ["file"]
    list_filter = ["state"]
    transition_options = {"resolve": {"reason": "required"}}


@admin.register(BillingEvent)
class BillingEventAdmin(RecordAdmin):
    area = "Partners"
    icon = "receipt"
    nav_position = 35
    list_display = [
        "billing_event_id",
        "action",
        "transaction_type",
        "shown_amount",
        "acted_at",
        "buyer_invoice_id",
    ]
    list_filter = ["action", "transaction_type"]
    search_fields = ["billing_event_id", "buyer_invoice_id", "agreement_ref", "bank_trace_id"]
    ordering = ["-acted_at"]

    @admin.display(description="Amount", ordering="amount")
    def shown_amount(self, obj: Any) -> str:
        return money(obj.amount, obj.currency or "USD")

    def panels(self, obj: Any) -> list[Panel]:
        lines = BillingEvent.objects.filter(disbursement_id=obj.billing_event_id)
        return [
            Panel(
                "Lines of the payment",
                lines,
                [
                    "billing_event_id",
                    "transaction_type",
                    Column("amount", money="currency", total=True),
                    "parent_id",
                ],
                empty="It is not a payment.",
            ),
            Panel(
                "Posted",
                SettlementPosting.objects.filter(billing_event_id=obj.billing_event_id),
                ["sequence", "rule", "posted_on", Column("amount", money="currency")],
                empty="Nothing is posted for it.",
            ),
        ]


@admin.register(SettlementPosting)
class SettlementPostingAdmin(RecordAdmin):
    area = "Partners"
    icon = "account_balance"
    nav_position = 40
    nav_title = "Settlement"
    list_display = [
        "rule",
        "agreement",
        "amount",
        "currency",
        "effective_on",
        "posted_on",
        "billing_event_id",
    ]
    list_select_related = ["agreement"]
    list_filter = ["rule"]
    search_fields = ["billing_event_id"]
    ordering = ["-pk"]
