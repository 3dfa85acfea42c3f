"""What can be sold, and at which list prices: what a CRM keeps its price book equal to."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from o2c.api import fields
from o2c.api.views import DetailView, ListView
from orders.models import Price, Sku

PRICES = Prefetch(
    "prices",
    Price.objects.filter(state=Price.State.ACTIVE).order_by("currency", "effective_from"),
    to_attr="listed",
)
SKUS = Sku.objects.select_related("product", "meter").prefetch_related(PRICES)


class PriceOut(serializers.ModelSerializer[Price]):
    """A list price on [effective_from, effective_to). Its numbers are decimal strings."""

    price_id = serializers.IntegerField(source="pk", help_text="For `price_id` of an order line.")
    spec = fields.Document()

    class Meta:
        model = Price
        fields = ("price_id", "currency", "version", "period", "effective_from", "effective_to", "spec")


class SkuOut(serializers.ModelSerializer[Sku]):
    """A thing that can stand on an order line."""

    product = serializers.CharField(source="product.name")
    family = serializers.CharField(source="product.family")
    meter = serializers.CharField(source="meter.code", default=None, allow_null=True)
    prices = PriceOut(many=True, source="listed", help_text="Active list prices, past, present and to come.")

    class Meta:
        model = Sku
        fields = ("code", "name", "product", "family", "kind", "unit", "meter", "active", "prices")


class SkuFilter(django_filters.FilterSet):
    class Meta:
        model = Sku
        fields = ("kind", "active", "product__code")


class Skus(ListView):
    duties = {"GET": "orders.read"}
    queryset = SKUS
    serializer_class = SkuOut
    filterset_class = SkuFilter
    order = ("code",)
    for_salesforce = True

    @extend_schema(operation_id="listSkus", tags=["orders"], summary="What can be sold, with list prices")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class SkuByCode(DetailView):
    duties = {"GET": "orders.read"}
    queryset = SKUS
    serializer_class = SkuOut
    lookup_field = "code"
    for_salesforce = True

    @extend_schema(operation_id="readSku", tags=["orders"], summary="A SKU with its list prices")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)
