"""Amendments: what was asked, and its effect before and after."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from o2c.console import Column, Fact, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.registry import Anchor
from o2c.controls.approvals.admin.asking import ask_act, needs
from orders.admin.shown import span_rows, value_rows
from orders.models import Amendment
from orders.services import credit

SPANS = ["line", "from", "until", "quantity", "price", "discount"]
VALUES = [
    Column("what", "Committed value"),
    Column("before", money="currency"),
    Column("after", money="currency"),
    Column("delta", "Difference", money="currency"),
]


def effect_panels(amendment: Amendment, user: Any = None) -> list[Panel]:
    """The effect as tables: value, segments before, segments after."""
    effect = amendment.effect
    return [
        Panel("Value", value_rows(effect), VALUES, link_rows=False),
        Panel(
            "Segments before", span_rows(effect, "before"), SPANS, link_rows=False, empty="None: new lines."
        ),
        Panel("Segments after", span_rows(effect, "after"), SPANS, link_rows=False, empty="None: ended."),
    ]


def _no_cancellation(amendment: Amendment, user: Any) -> list[str]:
    if amendment.kind == Amendment.Kind.CANCEL and amendment.state == Amendment.State.DRAFT:
        return []
    return ["Only a drafted cancellation needs approval."]


_cancel_needs = needs("orders.amendment.cancel", _no_cancellation)


def _waits(amendment: Amendment, user: Any) -> list[str]:
    return credit.hold_of(amendment) or _cancel_needs(amendment, user)


@admin.register(Amendment)
class AmendmentAdmin(RecordAdmin):
    area, icon, nav_position = "Orders", "edit_note", 40
    list_display = ["order", "number", "kind", "effective_on", "value_before", "value_after", "state"]
    list_select_related = ["order__customer", "order"]
    list_filter = ["state", "kind"]
    search_fields = ["order__number", "order__customer__name", "reason"]
    transition_options = {
        "apply": {
            "preview": effect_panels,
            "unavailable": _waits,
            "description": "Does exactly what is shown, or nothing if the order has changed meanwhile.",
            "bulk": False,
        },
        "reject": {"reason": "required"},
    }
    acts = [ask_act("orders.amendment.cancel", "orders.services.amendments.ask_cancel", _no_cancellation)]
    fieldsets = [
        (
            "Request",
            {
                "fields": [
                    "kind",
                    "effective_on",
                    "reason",
                    "drafted_by",
                    "applied_by",
                    "applied_on",
                    "changes",
                ]
            },
        )
    ]
    exclude = ["effect", "effect_digest"]
    empty_text = "No amendment yet. An active order is amended from its own page."

    def facts(self, obj: Amendment) -> list[Fact]:
        currency = obj.order.currency
        before, after = obj.value_before, obj.value_after
        delta = after - before if after is not None and before is not None else None
        return [
            Fact("Order", obj.order),
            Fact("Customer", obj.order.customer),
            Fact("Effective on", obj.effective_on),
            Fact("Value changes by", fmt.money(delta, currency)),
        ]

    def panels(self, obj: Amendment) -> list[Panel]:
        return effect_panels(obj)

    def strip_anchor(self, obj: Amendment) -> Anchor:
        return Anchor("order", (obj.order_id,))
