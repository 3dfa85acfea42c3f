"""The catalogue: products, SKUs, meters, list prices."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from o2c.console import Act, Column, Fact, Panel, RecordAdmin
from o2c.controls.approvals.admin.asking import ask_act, needs
from orders.admin.forms import AttributeForm
from orders.admin.shown import price_text
from orders.models import Meter, OrderLine, Price, Product, Sku


@admin.register(Product)
class ProductAdmin(RecordAdmin):
    area, icon, nav_position = "Orders", "inventory_2", 60
    list_display = ["code", "name", "family"]
    search_fields = ["code", "name", "family"]
    find_fields = ["code", "*name"]

    def panels(self, obj: Product) -> list[Panel]:
        columns = ["code", "name", "kind", "unit", "revenue_treatment", "gl_segment"]
        return [Panel("SKUs", obj.skus.all(), columns, empty="No SKU yet: nothing of it can be sold.")]


@admin.register(Meter)
class MeterAdmin(RecordAdmin):
    area, icon, nav_position = "Orders", "speed", 63
    list_display = ["code", "name", "unit", "aggregation", "filters", "event_type", "value_property"]
    search_fields = ["code", "name", "event_type"]
    find_fields = ["code"]

    def panels(self, obj: Meter) -> list[Panel]:
        return [Panel("SKUs it measures", obj.skus.all(), ["code", "name", "kind"], empty="None yet.")]


@admin.register(Sku)
class SkuAdmin(RecordAdmin):
    area, icon, nav_position = "Orders", "sell", 61
    list_display = [
        "code",
        "name",
        "product",
        "kind",
        "unit",
        "meter",
        "revenue_treatment",
        "gl_segment",
        "active",
    ]
    list_select_related = ["product", "meter"]
    list_filter = ["kind", "revenue_treatment", "active", "product"]
    search_fields = ["code", "name", "product__code", "product__name"]
    find_fields = ["code", "*name"]
    acts = [
        Act(
            "attribute",
            "Attribute…",
            "orders.services.catalogue.attribute",
            duty="orders.sku.attribute",
            form=AttributeForm,
            description="How its revenue is recognised, the segment of the GL export, and what it costs us.",
        )
    ]

    def facts(self, obj: Sku) -> list[Fact]:
        return [
            Fact("Product", obj.product),
            Fact("Kind", obj.get_kind_display()),
            Fact("Meter", obj.meter, note="" if obj.meter or obj.kind != "usage" else "missing"),
            Fact("Revenue", obj.get_revenue_treatment_display() or "not attributed"),
            Fact("GL segment", obj.gl_segment or "not attributed"),
            Fact(
                "Cost", "not known" if obj.cost_percent is None else f"{obj.cost_percent} % of the list price"
            ),
        ]

    def notices(self, obj: Sku) -> list[tuple[str, str]]:
        missing = []
        if obj.kind == Sku.Kind.USAGE and obj.meter_id is None:
            missing.append("a meter")
        if not obj.revenue_treatment:
            missing.append("a revenue treatment")
        if not obj.gl_segment:
            missing.append("a GL segment")
        text = f"Orders with this SKU can't activate: it lacks {', '.join(missing)}."
        return [("warn", text)] if missing else []

    def panels(self, obj: Sku) -> list[Panel]:
        on_orders = OrderLine.objects.filter(sku=obj).select_related("order__customer").order_by("-order_id")
        return [
            Panel(
                "List prices",
                obj.prices.select_related("sku"),
                [
                    "currency",
                    "version",
                    "state",
                    "effective_from",
                    "effective_to",
                    Column(lambda p: price_text(p.spec, p.currency), "Price"),
                    "period",
                ],
                empty="No list price: it can't be put on an order.",
            ),
            Panel(
                "On orders",
                on_orders,
                ["order", "order.customer", "description"],
                link_rows=False,
                empty="On no order yet.",
            ),
        ]


def _not_draft(price: Price, user: Any) -> list[str]:
    return [] if price.state == Price.State.DRAFT else ["Only a draft is made valid."]


@admin.register(Price)
class PriceAdmin(RecordAdmin):
    area, icon, nav_position = "Orders", "price_change", 62
    list_display = [
        "sku",
        "currency",
        "version",
        "amount",
        "period",
        "effective_from",
        "effective_to",
        "state",
    ]
    list_select_related = ["sku"]
    list_filter = ["state", "currency"]
    search_fields = ["sku__code", "sku__name"]
    transition_options = {
        "activate": {
            "bulk_service": "orders.services.catalogue.activate_prices",
            "unavailable": needs("orders.price.activate", _not_draft),
            "description": "An open-ended price of the same SKU and currency ends where this one begins.",
        },
        "retire": {"reason": "required", "danger": True},
    }
    acts = [ask_act("orders.price.activate", "orders.services.catalogue.ask_activate_price", _not_draft)]

    def amount(self, obj: Price) -> str:
        return price_text(obj.spec, obj.currency)

    amount.short_description = "Price"  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("sku")

    def facts(self, obj: Price) -> list[Fact]:
        return [
            Fact("SKU", obj.sku),
            Fact("Price", price_text(obj.spec, obj.currency)),
            Fact("A recurring amount pays for", obj.get_period_display().lower()),
            Fact("Valid", f"from {obj.effective_from} to {obj.effective_to or 'its successor'}"),
        ]

    def panels(self, obj: Price) -> list[Panel]:
        rows = obj.segments.select_related("line__order__customer", "line__sku").order_by("-pk")
        return [
            Panel(
                "Sold at this price",
                rows,
                ["line.order", "line.order.customer", "starts_on", "ends_on", "quantity", "price_override"],
                link_rows=False,
                empty="Nothing yet.",
            )
        ]
