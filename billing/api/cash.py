"""What a customer owes, and the money that came in."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import django_filters
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.domain.ageing import Ageing
from billing.models import Invoice, Receipt
from billing.selectors import ageing
from billing.services import receipts
from o2c import clock
from o2c.api import fields
from o2c.api.views import ApiView, DetailView, ListView
from o2c.errors import InvalidInput
from o2c.ledger.models import LegalEntity
from orders.models import Customer


class CustomerBalanceOut(serializers.Serializer[Any]):
    """What a customer owes one of our companies in one currency."""

    entity = serializers.CharField()
    currency = serializers.CharField()
    open = fields.Amount(help_text="Open invoices less unused credit memos.")
    overdue = fields.Amount()
    disputed = fields.Amount(help_text="Part of `open`.")
    unapplied = fields.Amount(help_text="Cash on account, not applied to an invoice.")
    balance = fields.Amount(help_text="`open` less `unapplied`.")
    current = fields.Amount()
    days_1_30 = fields.Amount(help_text="Overdue for 1 to 30 days.")
    days_31_60 = fields.Amount()
    days_61_90 = fields.Amount()
    days_over_90 = fields.Amount()
    marketplace = fields.Amount(help_text="Beside it: open invoices that a marketplace collects for us.")


class CustomerBalancesOut(serializers.Serializer[Any]):
    """A customer's balances at the end of a day, one per company and currency."""

    customer = serializers.CharField()
    as_of = serializers.DateField()
    balances = CustomerBalanceOut(many=True)


class AsOfIn(serializers.Serializer[Any]):
    as_of = serializers.DateField(required=False)


class CustomerBalance(ApiView):
    duties = {"GET": "billing.read"}
    queryset = Customer.objects.all()
    serializer_class = CustomerBalancesOut
    for_salesforce = True

    @extend_schema(
        operation_id="readBalance",
        tags=["billing"],
        summary="What a customer owes, by age",
        parameters=[OpenApiParameter("as_of", dt.date, description="End of this day; today unless told.")],
        responses=CustomerBalancesOut,
    )
    def get(self, request: Request, number: str) -> Response:
        asked = AsOfIn(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        customer = get_object_or_404(self.get_queryset(), number=number)
        as_of = asked.validated_data.get("as_of") or clock.today()
        direct = ageing.by_customer(as_of, customer_id=customer.pk)
        elsewhere = ageing.by_customer(as_of, customer_id=customer.pk, channel=Invoice.Channel.AWS)
        codes = dict(LegalEntity.objects.values_list("pk", "code"))
        balances = [
            _balance(codes[key[0]], key[2], direct.get(key, Ageing()), elsewhere.get(key, Ageing()))
            for key in sorted({*direct, *elsewhere}, key=str)
        ]
        return Response(CustomerBalancesOut({"customer": number, "as_of": as_of, "balances": balances}).data)


def _balance(entity: str, currency: str, direct: Ageing, elsewhere: Ageing) -> dict[str, Any]:
    def aged(name: str) -> Decimal:
        return direct.buckets.get(name, Decimal(0))

    return {
        "entity": entity,
        "currency": currency,
        "open": direct.total,
        "overdue": direct.total - aged("current"),
        "disputed": direct.disputed,
        "unapplied": direct.unapplied,
        "balance": direct.balance,
        "current": aged("current"),
        "days_1_30": aged("1-30"),
        "days_31_60": aged("31-60"),
        "days_61_90": aged("61-90"),
        "days_over_90": aged("90+"),
        "marketplace": elsewhere.total,
    }


class ReceiptIn(serializers.Serializer[Any]):
    """Money that one of our companies received. Leave out the customer when the payer is not known."""

    entity = serializers.CharField(max_length=8, help_text="Code of our legal entity, 'US'.")
    customer = serializers.CharField(max_length=20, required=False, default="")
    currency = fields.Currency()
    amount = fields.Amount()
    received_on = serializers.DateField(help_text="Value date at the bank.")
    method = serializers.ChoiceField(choices=Receipt.Method.choices, default=Receipt.Method.WIRE)
    reference = serializers.CharField(
        max_length=140,
        required=False,
        default="",
        help_text="What the payer wrote; invoices are found in it.",
    )
    payer_name = serializers.CharField(max_length=140, required=False, default="")
    external_id = serializers.CharField(
        max_length=100, help_text="Id at the bank or processor. The same id is the same money, for ever."
    )


class ReceiptOut(serializers.ModelSerializer[Receipt]):
    """A receipt. What is not applied is on account."""

    entity = serializers.CharField(source="entity.code")
    customer = serializers.CharField(source="customer.number", default=None, allow_null=True)
    amount = fields.Amount()
    applied = fields.Amount()

    class Meta:
        model = Receipt
        fields = (
            "number", "state", "entity", "customer", "currency", "amount", "applied", "received_on", "method",
            "reference", "payer_name", "external_id", "reversed_on",
        )  # fmt: skip


RECEIPTS = Receipt.objects.select_related("entity", "customer")


class ReceiptFilter(django_filters.FilterSet):
    customer = django_filters.CharFilter("customer__number")
    received_since = django_filters.DateFilter("received_on", "gte")
    received_until = django_filters.DateFilter("received_on", "lt", help_text="exclusive")

    class Meta:
        model = Receipt
        fields = ("state", "external_id", "currency")


class Receipts(ListView):
    duties = {"GET": "billing.read", "POST": "billing.receipt.record"}
    queryset = RECEIPTS
    serializer_class = ReceiptOut
    filterset_class = ReceiptFilter
    order = ("-received_on", "-id")

    @extend_schema(operation_id="listReceipts", tags=["billing"], summary="Money received")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="recordReceipt",
        tags=["billing"],
        summary="Record money received",
        request=ReceiptIn,
        responses={201: ReceiptOut},
    )
    def post(self, request: Request) -> Response:
        data = self.read(ReceiptIn)
        customer = data.pop("customer")
        entity = LegalEntity.objects.filter(code=data.pop("entity")).first()
        payer = Customer.objects.filter(number=customer).first() if customer else None
        unknown = {"entity": entity is None, "customer": bool(customer) and payer is None}
        if entity is None or unknown["customer"]:
            raise InvalidInput(
                "The receipt names what is not here",
                fields={
                    name: ["there is none with this code"] for name, missing in unknown.items() if missing
                },
            )
        receipt = receipts.record(
            entity_id=entity.pk, customer_id=payer.pk if payer else None, actor=self.actor, **data
        )
        return self.created(ReceiptOut(RECEIPTS.get(pk=receipt.pk)).data)


class ReceiptByNumber(DetailView):
    duties = {"GET": "billing.read"}
    queryset = RECEIPTS
    serializer_class = ReceiptOut
    lookup_field = "number"

    @extend_schema(operation_id="readReceipt", tags=["billing"], summary="A receipt")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


urlpatterns = [
    path("customers/<str:number>/balance", CustomerBalance.as_view(), name="api-customer-balance"),
    path("receipts", Receipts.as_view(), name="api-receipts"),
    path("receipts/<str:number>", ReceiptByNumber.as_view(), name="api-receipt"),
]
