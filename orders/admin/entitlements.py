"""Entitlements and the calls to the provisioning service."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from o2c.console import Fact, Panel, RecordAdmin
from o2c.console.registry import Anchor, TimelineEntry
from orders.models import Entitlement


@admin.register(Entitlement)
class EntitlementAdmin(RecordAdmin):
    area, icon, nav_position = "Orders", "key", 50
    list_display = [
        "id",
        "customer",
        "sku",
        "quantity",
        "starts_on",
        "ends_on",
        "action",
        "state",
        "attempts",
        "last_error",
    ]
    list_select_related = ["customer", "sku"]
    list_filter = ["state", "action"]
    search_fields = ["customer__name", "customer__number", "sku__code", "external_ref", "line__order__number"]
    find_fields = ["=external_ref"]
    transition_options = {"retry": {"bulk_service": "orders.services.entitlements.retry_many"}}
    empty_text = "None yet: they follow when an order becomes active."

    def facts(self, obj: Entitlement) -> list[Fact]:
        return [
            Fact("Customer", obj.customer),
            Fact("SKU", obj.sku),
            Fact("Quantity", obj.quantity),
            Fact("Order", obj.line.order),
            Fact("At the service", obj.external_ref),
        ]

    def notices(self, obj: Entitlement) -> list[tuple[str, str]]:
        return [("bad", obj.last_error)] if obj.state == Entitlement.State.FAILED else []

    def panels(self, obj: Entitlement) -> list[Panel]:
        return [
            Panel(
                "Calls to the provisioning service",
                obj.attempt_log.order_by("-id"),
                [
                    "started_at",
                    "revision",
                    "attempt",
                    "action",
                    "outcome",
                    "status_code",
                    "error",
                    "duration_ms",
                    "idempotency_key",
                ],
                link_rows=False,
                empty="Not called yet.",
            )
        ]

    def strip_anchor(self, obj: Entitlement) -> Anchor:
        return Anchor("order", (obj.line.order_id,))

    def timeline_sources(self, obj: Entitlement) -> list[TimelineEntry]:
        return [_entry(attempt) for attempt in obj.attempt_log.order_by("-id")[:50]]


def _entry(attempt: Any) -> TimelineEntry:
    answer = f"HTTP {attempt.status_code}" if attempt.status_code else "no answer"
    return TimelineEntry(
        at=attempt.started_at,
        kind="job",
        title=f"{attempt.idempotency_key} #{attempt.attempt}: {attempt.get_outcome_display().lower()}",
        body=f"{answer}. {attempt.error}".strip(),
        machine=True,
    )
