"""Money paid back, to be read: it is drafted, released and recorded by people in the console."""

from __future__ import annotations

from typing import Any

import django_filters
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api import outputs
from billing.models import Refund
from o2c.api.views import DetailView, ListView

REFUNDS = Refund.objects.select_related("customer", "entity", "receipt", "credit_memo")


class RefundFilter(django_filters.FilterSet):
    class Meta:
        model = Refund
        fields = {
            "customer__number": ["exact"],
            "state": ["exact"],
            "currency": ["exact"],
            "receipt__number": ["exact"],
            "refund_on": ["gte", "lt"],
        }


class Refunds(ListView):
    duties = {"GET": "billing.read"}
    queryset = REFUNDS
    serializer_class = outputs.RefundOut
    filterset_class = RefundFilter
    order = ("-refund_on", "-id")

    @extend_schema(operation_id="listRefunds", tags=["billing"], summary="Refunds")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class RefundByNumber(DetailView):
    duties = {"GET": "billing.read"}
    queryset = REFUNDS
    serializer_class = outputs.RefundOut
    lookup_field = "number"

    @extend_schema(operation_id="readRefund", tags=["billing"], summary="A refund and what it pays back")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


urlpatterns = [
    path("refunds", Refunds.as_view(), name="api-refunds"),
    path("refunds/<str:number>", RefundByNumber.as_view(), name="api-refund"),
]
