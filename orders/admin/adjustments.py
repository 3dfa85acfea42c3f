"""Overrides of prices and coupons."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin

from o2c.console import Act, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.controls.approvals.admin.asking import ask_act, needs
from orders.admin.forms import CustomerNumber, Day
from orders.models import Coupon, Order, PriceAdjustment, Product, Sku


class JsonField(forms.CharField):
    """An object as JSON, or nothing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea(attrs={"rows": 3}), **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            found = json.loads(text)
        except ValueError as error:
            raise forms.ValidationError(f"This is no JSON: {error}") from error
        if not isinstance(found, dict):
            raise forms.ValidationError("This is no JSON object.")
        return found


class AdjustmentForm(forms.Form):
    customer = CustomerNumber()
    order = forms.CharField(required=False, max_length=20, help_text="O-000001; empty: every order.")
    sku = forms.ModelChoiceField(Sku.objects.all(), to_field_name="code", required=False, label="SKU")
    product = forms.ModelChoiceField(Product.objects.all(), to_field_name="code", required=False)
    method = forms.ChoiceField(choices=PriceAdjustment.Method.choices)
    value = forms.DecimalField(
        required=False, min_value=0, decimal_places=12, help_text="Factor, percentage or amount."
    )
    spec = JsonField(
        label="Price", help_text='{"model": "per_unit", "unit_amount": "8.00"}, of another price.'
    )
    dimensions = JsonField(help_text='{"model": "gpt-4o"}: only for usage with these values.')
    starts_on = Day(label="From")
    ends_on = Day(label="Until", required=False, help_text="Exclusive; empty: until it is ended.")

    def clean_order(self) -> int | None:
        number = self.cleaned_data["order"]
        if not number:
            return None
        found = Order.objects.filter(number__iexact=number).values_list("pk", flat=True).first()
        if found is None:
            raise forms.ValidationError("There is no such order.")
        return found

    def clean_sku(self) -> str:
        return self.cleaned_data["sku"].code if self.cleaned_data["sku"] else ""

    def clean_product(self) -> str:
        return self.cleaned_data["product"].code if self.cleaned_data["product"] else ""


class EndForm(forms.Form):
    ends_on = Day(label="Ends on", help_text="The first day on which it no longer holds.")


def _active_only(row: PriceAdjustment, user: Any) -> list[str]:
    return [] if row.state == PriceAdjustment.State.ACTIVE else ["Only an active override is ended."]


def _not_own(row: PriceAdjustment, user: Any) -> list[str]:
    return ["You drafted it: somebody else activates it."] if user.pk == row.drafted_by_id else []


def _no_draft(row: PriceAdjustment, user: Any) -> list[str]:
    return [] if row.state == PriceAdjustment.State.DRAFT else ["Only a draft is activated."]


def _not_alone(row: PriceAdjustment, user: Any) -> list[str]:
    return _not_own(row, user) or needs("orders.adjustment.activate", _no_draft)(row, user)


def _in_force(coupon: Coupon, user: Any) -> list[str]:
    return ["It can be redeemed already."] if coupon.active else []


@admin.register(PriceAdjustment)
class PriceAdjustmentAdmin(RecordAdmin):
    area, icon, nav_position = "Orders", "price_change", 45
    list_display = ["id", "customer", "order", "sku", "method", "value", "starts_on", "ends_on", "state"]
    list_select_related = ["customer", "order", "sku"]
    list_filter = ["state", "method"]
    search_fields = ["customer__name", "customer__number", "order__number", "sku__code", "reason"]
    transition_options = {"activate": {"unavailable": _not_alone}}
    acts = [
        ask_act("orders.adjustment.activate", "orders.services.adjustments.ask", _no_draft),
        Act(
            "end",
            "End…",
            "orders.services.adjustments.end",
            duty="orders.adjustment.activate",
            form=EndForm,
            reason="required",
            unavailable=_active_only,
        ),
    ]
    list_acts = [
        ListAct(
            "new",
            "New override",
            "orders.services.adjustments.draft",
            duty="orders.adjustment.draft",
            form=AdjustmentForm,
            reason="required",
        )
    ]
    empty_text = "No override yet: every customer pays what their order says."

    def facts(self, obj: PriceAdjustment) -> list[Fact]:
        scope = obj.sku or obj.product or "everything"
        return [
            Fact("Customer", obj.customer),
            Fact("Order", obj.order or "every order"),
            Fact("On", scope),
            Fact("Holds", f"{obj.starts_on} to {obj.ends_on or 'its end'}"),
        ]


class CouponForm(forms.Form):
    code = forms.CharField(max_length=40)
    name = forms.CharField(max_length=200, required=False)
    method = forms.ChoiceField(choices=Coupon.Method.choices)
    value = forms.DecimalField(min_value=0, decimal_places=12)
    currency = forms.CharField(max_length=3, required=False, help_text="Of an amount.")
    sku = forms.ModelChoiceField(Sku.objects.all(), to_field_name="code", required=False, label="SKU")
    periods = forms.IntegerField(min_value=1, required=False, help_text="1 is once; empty: for ever.")
    redeem_from = Day(required=False)
    redeem_until = Day(required=False, help_text="The last day to redeem it.")
    max_redemptions = forms.IntegerField(min_value=1, required=False)

    def clean_sku(self) -> str:
        return self.cleaned_data["sku"].code if self.cleaned_data["sku"] else ""


@admin.register(Coupon)
class CouponAdmin(RecordAdmin):
    area, icon, nav_position = "Orders", "confirmation_number", 46
    list_display = ["code", "name", "method", "value", "currency", "periods", "redeem_until", "active"]
    list_filter = ["active", "method"]
    search_fields = ["code", "name"]
    acts = [
        ask_act("orders.coupon.activate", "orders.services.coupons.ask", _in_force),
        Act(
            "activate",
            "Put in force",
            "orders.services.coupons.activate",
            duty="orders.coupon.maintain",
            unavailable=lambda coupon, user: (
                _in_force(coupon, user) or needs("orders.coupon.activate", _in_force)(coupon, user)
            ),
        ),
        Act(
            "close",
            "Close…",
            "orders.services.coupons.close",
            duty="orders.coupon.maintain",
            unavailable=lambda coupon, user: [] if coupon.active else ["It is not in force."],
        ),
    ]
    list_acts = [
        ListAct(
            "new",
            "New coupon",
            "orders.services.coupons.create",
            duty="orders.coupon.maintain",
            form=CouponForm,
        )
    ]
    empty_text = "No coupon yet."

    def facts(self, obj: Coupon) -> list[Fact]:
        off = f"{fmt.plain_number(obj.value)} %" if not obj.currency else fmt.money(obj.value, obj.currency)
        return [
            Fact("Takes off", off),
            Fact("For", f"{obj.periods} billing periods" if obj.periods else "ever"),
            Fact("On", obj.sku or "any SKU"),
        ]

    def panels(self, obj: Coupon) -> list[Panel]:
        rows = obj.redemptions.select_related("coupon", "line__order")
        columns = ["sequence", "line", "redeemed_on", "recorded_at"]
        return [Panel("Redeemed", rows, columns, empty="Not yet.", link_rows=False)]
