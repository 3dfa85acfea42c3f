"""Money received and what it settles."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from billing.admin import forms
from billing.admin.refunds import receipt_refundable, refund_act, refunds_panel
from billing.models import Application, Receipt
from billing.services.applications import propose
from o2c.console import Act, Column, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.registry import Anchor


def _has_rest(receipt: Receipt, user: Any) -> list[str]:
    if receipt.customer_id is None:
        return ["Its payer is not identified: say whose it is first."]
    if receipt.state != Receipt.State.RECORDED or receipt.unapplied_amount <= 0:
        return ["Nothing of it is left to apply."]
    return []


def _has_applications(receipt: Receipt, user: Any) -> list[str]:
    return [] if receipt.applied > 0 else ["Nothing of it is applied."]


def _unused(receipt: Receipt, user: Any) -> list[str]:
    return [] if receipt.applied == 0 and receipt.state == "recorded" else ["It is applied already."]


def _proposal(receipt: Receipt, user: Any) -> list[Panel]:
    if receipt.customer_id is None:
        return []
    proposal = propose(receipt)
    return [
        Panel(
            "Proposal",
            [],
            ["invoice"],
            empty=f"{proposal.why.capitalize()}; {fmt.plain_money(proposal.rest, receipt.currency)} "
            f"{receipt.currency} would stay on account.",
        )
    ]


@admin.register(Receipt)
class ReceiptAdmin(RecordAdmin):
    area, icon, nav_position = "Cash", "payments", 10
    list_display = ["number", "customer", "received_on", "amount", "left", "method", "reference", "state"]
    list_select_related = ["customer"]
    list_filter = ["state", "currency", "method", "entity"]
    search_fields = ["number", "reference", "payer_name", "external_id", "customer__name"]
    find_fields = ["number", "*reference", "external_id"]
    find_amounts = ["amount"]
    bulk_amount = "amount"
    transition_options = {"reverse": {"form": forms.OnForm, "reason": "required", "danger": True}}
    acts = [
        Act(
            "apply",
            "Apply…",
            "billing.services.requests.apply_receipt",
            duty="billing.receipt.apply",
            form=forms.apply_form,
            unavailable=_has_rest,
            preview=_proposal,
            description="Amounts are filled in as the matching rules propose; change them as you need.",
        ),
        Act(
            "unapply",
            "Undo application…",
            "billing.services.requests.unapply_receipt",
            duty="billing.receipt.unapply",
            form=forms.unapply_form,
            reason="required",
            unavailable=_has_applications,
        ),
        Act(
            "identify",
            "Identify payer…",
            "billing.services.requests.identify_receipt",
            duty="billing.receipt.identify",
            form=forms.PayerForm,
            unavailable=_unused,
        ),
        refund_act("billing.services.requests.refund_receipt", receipt_refundable),
    ]
    list_acts = [
        ListAct(
            "record",
            "Record receipt",
            "billing.services.requests.record_receipt",
            duty="billing.receipt.record",
            form=forms.ReceiptForm,
        )
    ]
    empty_text = "No money was recorded yet."

    def left(self, obj: Receipt) -> SafeString:
        return fmt.money(obj.unapplied_amount, obj.currency)

    left.short_description = "Left"  # type: ignore[attr-defined]

    def facts(self, obj: Receipt) -> list[Fact]:
        return [
            Fact("Payer", obj.customer or obj.payer_name or "not identified"),
            Fact("Amount", fmt.money(obj.amount, obj.currency)),
            Fact("Left to apply or refund", fmt.money(obj.unapplied_amount, obj.currency)),
            Fact("Value date", obj.received_on),
            Fact("Reference", obj.reference),
        ]

    def notices(self, obj: Receipt) -> list[tuple[str, str]]:
        if obj.state == "recorded" and obj.customer_id is None:
            return [("warn", "Nobody knows yet whose money this is.")]
        return []

    def panels(self, obj: Receipt) -> list[Panel]:
        return [
            Panel(
                "Applied to",
                obj.applications.select_related("invoice", "refund"),
                [
                    "applied_on",
                    Column(lambda row: row.invoice or row.refund, "Document"),
                    Column("amount", money=obj.currency, total=True),
                    Column("functional_difference", "Exchange difference", numeric=True),
                    "matched_by",
                    Column(lambda row: "undone" if row.reverses_id else "", "Undone", numeric=False),
                    "note",
                ],
                link_rows=False,
                empty="Not applied yet.",
            ),
            refunds_panel(obj),
        ]

    def strip_anchor(self, obj: Receipt) -> Anchor | None:
        return Anchor("customer", (obj.customer_id,)) if obj.customer_id else None


@admin.register(Application)
class ApplicationAdmin(RecordAdmin):
    area, icon, nav_position = "Cash", "join_inner", 30
    list_display = [
        "applied_on",
        "kind",
        "receipt",
        "credit_memo",
        "invoice",
        "refund",
        "amount",
        "reason_code",
        "matched_by",
    ]
    list_select_related = ["receipt", "credit_memo", "invoice__customer", "refund"]
    list_filter = ["kind", "matched_by", "reason_code"]
    search_fields = ["receipt__number", "invoice__number", "note"]
    empty_text = "Nothing was applied yet."
