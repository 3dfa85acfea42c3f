"""Billed periods that would be billed otherwise today, as the nightly comparison found them."""

from __future__ import annotations

from decimal import Decimal

from django.contrib import admin

from billing.models import Charge, Divergence
from o2c.console import Column, Fact, Panel, RecordAdmin
from o2c.console import format as fmt


@admin.register(Divergence)
class DivergenceAdmin(RecordAdmin):
    area, icon, nav_position = "Billing", "difference", 16
    nav_title = "Billed periods that would change"
    list_display = [
        "__str__",
        "customer",
        "billed",
        "expected",
        "recalculated",
        "currency",
        "problem",
        "first_seen_on",
        "cleared_on",
    ]
    list_select_related = ["line__order__customer"]
    list_filter = ["kind", "currency", ("cleared_on", admin.EmptyFieldListFilter)]
    search_fields = ["line__order__number", "line__order__customer__name"]
    empty_text = "No billed period of an open contract would be billed otherwise today."

    def customer(self, obj: Divergence) -> str:
        return str(obj.line.order.customer)

    def facts(self, obj: Divergence) -> list[Fact]:
        change = None if obj.expected is None else obj.expected - obj.billed
        return [
            Fact("Order", obj.line.order),
            Fact("Billed", fmt.money(obj.billed, obj.currency)),
            Fact("Expected now", fmt.money(obj.expected, obj.currency)),
            Fact("Recalculated", fmt.money(obj.recalculated, obj.currency)),
            Fact("The next run bills", fmt.money(change or Decimal(0), obj.currency)),
            Fact("Problem", obj.problem or "none"),
        ]

    def panels(self, obj: Divergence) -> list[Panel]:
        charges = Charge.objects.filter(
            line=obj.line, segment=obj.segment, kind=obj.kind, period_from=obj.period_from
        )
        return [
            Panel(
                "What was billed of this period",
                charges.select_related("run").order_by("revision"),
                [
                    "revision",
                    "service_from",
                    "service_to",
                    "quantity",
                    Column("amount", money="currency", total=True),
                    "run",
                ],
                link_rows=False,
            )
        ]
