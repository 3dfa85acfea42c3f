"""Amendments: what was asked, and its effect before and after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin

from o2c.console import Column, Fact, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.registry import Anchor
from o2c.controls.approvals.admin.asking import ask_act, needs, who_would_decide
from orders.admin.shown import span_rows, value_rows
from orders.models import Amendment
from orders.services import credit
from orders.services.amendments import act_of

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


def _no_draft(amendment: Amendment, user: Any) -> list[str]:
    drafted = amendment.state == Amendment.State.DRAFT
    return [] if drafted else ["Only a drafted amendment is applied."]


# Ending an order and changing it are two acts; a page has one button for whichever it is.
_ASK = {
    code: ask_act(code, "orders.services.amendments.ask", _no_draft)
    for code in ("orders.amendment.cancel", "orders.amendment.apply")
}


def _unavailable(amendment: Amendment, user: Any) -> list[str]:
    unavailable = _ASK[act_of(amendment)].unavailable
    return unavailable(amendment, user) if unavailable else []


def _who(amendment: Amendment, user: Any) -> list[Panel]:
    return who_would_decide(act_of(amendment))(amendment, user)


def _waits(amendment: Amendment, user: Any) -> list[str]:
    return credit.hold_of(amendment) or needs(act_of(amendment), _no_draft)(amendment, user)


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
    acts = [replace(_ASK["orders.amendment.apply"], unavailable=_unavailable, preview=_who)]
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
