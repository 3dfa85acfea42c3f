"""Credit of customers: reads only. Credit is sold with an order and drawn by bill runs."""

from __future__ import annotations

from typing import Any

import django_filters
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Grant, GrantEntry
from o2c.api.fields import Amount, Currency, Document
from o2c.api.views import DetailView, ListView

GRANTS = Grant.objects.select_related("customer", "order")


class GrantEntryOut(serializers.ModelSerializer[GrantEntry]):
    amount = Amount(help_text="Signed: opened and restored are positive, all others negative")
    part_from = serializers.DateField(help_text="First day of the usage that it paid", allow_null=True)
    part_to = serializers.DateField(help_text="Exclusive", allow_null=True)

    class Meta:
        model = GrantEntry
        fields = ("id", "kind", "amount", "occurred_on", "line", "part_from", "part_to", "reverses")


class GrantRow(serializers.ModelSerializer[Grant]):
    """Credit in a currency; 1.00 pays 1.00 of usage."""

    customer = serializers.CharField(source="customer.number", help_text="Customer number")
    order = serializers.CharField(
        source="order.number", default=None, allow_null=True, help_text="The order it is good for; null: all"
    )
    currency = Currency()
    granted = Amount()
    paid = Amount(help_text="What it was sold for; 0 for promotional credit")
    remaining = Amount()
    ends_on = serializers.DateField(help_text="Exclusive; null: does not expire", allow_null=True)
    scope = Document(help_text="What usage it pays; empty: all")

    class Meta:
        model = Grant
        fields: tuple[str, ...] = (
            "id",
            "customer",
            "order",
            "origin",
            "currency",
            "granted",
            "paid",
            "remaining",
            "priority",
            "starts_on",
            "ends_on",
            "scope",
        )


class GrantOut(GrantRow):
    entries = GrantEntryOut(many=True, help_text="Every movement; they add up to what remains")

    class Meta(GrantRow.Meta):
        fields = (*GrantRow.Meta.fields, "entries")


class GrantFilter(django_filters.FilterSet):
    class Meta:
        model = Grant
        fields = {
            "customer__number": ["exact"],
            "order__number": ["exact"],
            "origin": ["exact"],
            "ends_on": ["gte", "lt"],
            "remaining": ["gt"],
        }


class Grants(ListView):
    duties = {"GET": "billing.read"}
    queryset = GRANTS
    serializer_class = GrantRow
    filterset_class = GrantFilter
    order = ("-id",)

    @extend_schema(
        operation_id="listGrants", tags=["billing"], summary="Credit of customers and what is left of it"
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class GrantById(DetailView):
    duties = {"GET": "billing.read"}
    queryset = GRANTS.prefetch_related("entries")
    serializer_class = GrantOut
    lookup_field = "id"

    @extend_schema(operation_id="readGrant", tags=["billing"], summary="A grant with every movement")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


urlpatterns = [
    path("grants", Grants.as_view(), name="api-grants"),
    path("grants/<int:id>", GrantById.as_view(), name="api-grant"),
]
