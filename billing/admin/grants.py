"""Credit of customers: what was granted, what is left, and every movement of it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from billing.admin import forms
from billing.domain.trace import plain
from billing.models import Grant, GrantEntry
from billing.selectors.grants import cost_basis
from o2c.console import Act, Column, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.registry import Anchor
from o2c.controls.approvals.admin.asking import would_ask

AREA = "Billing"


def _not_withdrawable(grant: Grant, user: Any) -> list[str]:
    if grant.origin != Grant.Origin.PROMOTIONAL:
        return ["Credit that was sold leaves by an amendment of its order."]
    return [] if grant.remaining else ["Nothing is left of it."]


@admin.register(Grant)
class GrantAdmin(RecordAdmin):
    """Credit that pays for usage."""

    area, icon, nav_position, nav_title = AREA, "savings", 40, "Credit"
    list_display = [
        "id",
        "customer",
        "origin",
        "order",
        "granted_amount",
        "remaining_amount",
        "priority",
        "starts_on",
        "ends_on",
    ]
    list_select_related = ["customer", "order"]
    list_filter = ["origin", "currency", "entity", "ends_on"]
    search_fields = ["customer__name", "customer__number", "=order__number", "reason"]
    find_fields = ["=order__number"]
    find_amounts = ["granted", "remaining"]
    fieldsets = [
        ("Credit", {"fields": ["customer", "entity", "currency", "origin", "order", "line", "parent"]}),
        ("Amounts", {"fields": ["granted", "paid", "remaining"]}),
        ("Use", {"fields": ["priority", "starts_on", "ends_on", "scope"]}),
        ("At its end", {"fields": ["rollover_percent", "rollover_limit", "rollover_months"]}),
        ("Opened", {"fields": ["opened_by", "reason"]}),
    ]
    acts = [
        Act(
            "withdraw",
            "Withdraw…",
            "billing.services.grants.withdraw",
            duty="billing.grant.withdraw",
            form=forms.OnForm,
            reason="required",
            danger=True,
            unavailable=_not_withdrawable,
        )
    ]
    list_acts = [
        ListAct(
            "promote",
            "Give promotional credit",
            "billing.services.requests.promote",
            duty="billing.grant.promote",
            form=forms.PromotionForm,
            reason="required",
        ),
        ListAct(
            "ask_promotion",
            "Ask for promotional credit",
            "billing.services.asking.promotion",
            duty="billing.grant.propose",
            form=forms.PromotionForm,
            reason="required",
            description="Above what an approver gives alone; they decide with its value in front of them.",
            foresee=would_ask,
        ),
    ]
    empty_text = "Credit is opened when an order with a prepaid line becomes active."

    @admin.display(description="Granted", ordering="granted")
    def granted_amount(self, grant: Grant) -> SafeString:
        return fmt.money(grant.granted, grant.currency)

    @admin.display(description="Left", ordering="remaining")
    def remaining_amount(self, grant: Grant) -> SafeString:
        return fmt.money(grant.remaining, grant.currency)

    def facts(self, grant: Grant) -> list[Fact]:
        return [
            Fact("Granted", fmt.money(grant.granted, grant.currency)),
            Fact("Left", fmt.money(grant.remaining, grant.currency)),
            Fact("Paid", fmt.money(grant.paid, grant.currency), note=f"{plain(cost_basis(grant))} per unit"),
            Fact("Good until", grant.ends_on or "does not expire"),
            Fact("Customer", grant.customer),
        ]

    def panels(self, grant: Grant) -> list[Panel]:
        money = grant.currency
        return [
            Panel(
                "Movements",
                grant.entries.select_related("line__sku", "charge__invoice_line__invoice").order_by("pk"),
                [
                    "occurred_on",
                    "kind",
                    Column("amount", money=money, total=True),
                    Column("line", "Usage line"),
                    "part_from",
                    "part_to",
                    Column(_document, "Document", numeric=False),
                ],
                link_rows=False,
                limit=200,
                note="They add up to what is left.",
            ),
            Panel(
                "Carried over to",
                grant.carried_over.order_by("pk"),
                ["id", "granted", "remaining", "starts_on", "ends_on"],
                empty="Nothing was carried over.",
            ),
        ]

    def strip_anchor(self, grant: Grant) -> Anchor | None:
        return Anchor("order", (grant.order_id,)) if grant.order_id else None


def _document(entry: GrantEntry) -> str:
    line = entry.charge.invoice_line if entry.charge is not None else None
    return str(line.invoice) if line is not None else ""


@admin.register(GrantEntry)
class GrantEntryAdmin(RecordAdmin):
    """Every movement of credit."""

    area, icon, nav_position, nav_title = AREA, "receipt_long", 42, "Credit movements"
    list_display = ["occurred_on", "grant", "kind", "amount", "line", "part_from", "part_to"]
    list_select_related = ["grant__customer", "line__sku", "line__order"]
    list_filter = ["kind", "occurred_on"]
    search_fields = ["=line__order__number", "grant__customer__name"]
    ordering = ["-id"]
    empty_text = "No credit was granted yet."
