"""Deals from the CRM."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from o2c.console import Fact, Panel, RecordAdmin
from o2c.console.registry import Anchor
from orders.models import DealIntake


@admin.register(DealIntake)
class DealIntakeAdmin(RecordAdmin):
    area, icon, nav_position = "Orders", "move_to_inbox", 45
    nav_title = "Deals from the CRM"
    list_display = ["external_id", "source", "created_at", "order", "state"]
    list_select_related = ["order"]
    list_filter = ["state", "source"]
    search_fields = ["external_id", "order__number"]
    find_fields = ["external_id"]
    transition_options = {"dismiss": {"reason": "required", "danger": True}}
    empty_text = "Nothing has arrived yet (POST /api/v1/salesforce/deals)."

    def facts(self, obj: DealIntake) -> list[Fact]:
        return [
            Fact("Deal", obj.payload.get("Name", "") if isinstance(obj.payload, dict) else ""),
            Fact("Order", obj.order),
            Fact("Mapping", obj.mapper),
        ]

    def panels(self, obj: DealIntake) -> list[Panel]:
        return [
            Panel(
                "Why it is parked",
                obj.errors,
                ["field", "message", "code"],
                link_rows=False,
                empty="Nothing is wrong with it.",
            )
        ]

    def strip_anchor(self, obj: Any) -> Anchor | None:
        return Anchor("order", (obj.order_id,)) if obj.order_id else None
