"""Money received, sent by a bank or a payment processor."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Prefetch
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api import outputs
from billing.models import Application, Invoice, Receipt
from billing.services import receipts
from o2c.api.fields import Amount, Body, Currency
from o2c.api.views import ApiView, DetailView, ListView
from o2c.errors import InvalidInput, NotFound
from o2c.ledger.models import LegalEntity
from orders.models import Customer

APPLICATIONS = Prefetch(
    "applications", Application.objects.select_related("invoice", "refund").order_by("pk")
)
RECEIPTS = Receipt.objects.select_related("customer", "entity").prefetch_related(APPLICATIONS)


class ReceiptIn(Body):
    entity = serializers.CharField(max_length=8, help_text="Our legal entity, 'US'")
    customer = serializers.CharField(
        required=False, allow_null=True, default=None, help_text="Customer number; none: payer not known"
    )
    amount = Amount()
    currency = Currency()
    received_on = serializers.DateField(help_text="Value date")
    method = serializers.ChoiceField(choices=Receipt.Method.choices, default=Receipt.Method.WIRE)
    reference = serializers.CharField(max_length=140, required=False, allow_blank=True, default="")
    payer_name = serializers.CharField(max_length=140, required=False, allow_blank=True, default="")
    payer_account = serializers.CharField(
        max_length=64,
        required=False,
        allow_blank=True,
        default="",
        help_text="The account it was paid from; kept sealed, and never answered",
    )
    external_id = serializers.CharField(
        max_length=100, help_text="Id at the bank or processor: the same id is the same receipt"
    )
    apply = serializers.BooleanField(
        default=False, help_text="Apply it at once when the reference leaves no doubt"
    )


class PartIn(Body):
    invoice = serializers.CharField(help_text="Invoice number")
    amount = Amount()


class ApplicationsIn(Body):
    applied_on = serializers.DateField()
    parts = PartIn(many=True, allow_empty=False)


class ReceiptFilter(django_filters.FilterSet):
    class Meta:
        model = Receipt
        fields = {
            "customer__number": ["exact"],
            "state": ["exact"],
            "currency": ["exact"],
            "external_id": ["exact"],
            "received_on": ["gte", "lt"],
        }


class Receipts(ListView):
    duties = {"GET": "billing.read", "POST": "billing.receipt.record"}
    queryset = RECEIPTS
    serializer_class = outputs.ReceiptOut
    filterset_class = ReceiptFilter
    order = ("-received_on", "-id")

    @extend_schema(operation_id="listReceipts", tags=["billing"], summary="Receipts")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="recordReceipt",
        tags=["billing"],
        summary="Record money received",
        request=ReceiptIn,
        responses={201: outputs.ReceiptOut},
    )
    def post(self, request: Request) -> Response:
        data = self.read(ReceiptIn)
        receipt = receipts.record(
            entity_id=_entity(data["entity"]),
            customer_id=_customer(data["customer"]),
            amount=data["amount"],
            currency=data["currency"],
            received_on=data["received_on"],
            method=data["method"],
            reference=data["reference"],
            payer_name=data["payer_name"],
            payer_account=data["payer_account"],
            external_id=data["external_id"],
            actor=self.actor,
        )
        if data["apply"] and receipt.customer_id and receipt.applied == 0:
            receipts.apply_proposal(receipt.pk, applied_on=data["received_on"], actor=self.actor)
        return self.created(outputs.ReceiptOut(RECEIPTS.get(pk=receipt.pk)).data)


class ReceiptByNumber(DetailView):
    duties = {"GET": "billing.read"}
    queryset = RECEIPTS
    serializer_class = outputs.ReceiptOut
    lookup_field = "number"

    @extend_schema(operation_id="readReceipt", tags=["billing"], summary="A receipt and what it settles")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class ReceiptApplications(ApiView):
    duties = {"POST": "billing.receipt.apply"}
    queryset = RECEIPTS
    serializer_class = ApplicationsIn
    lookup_field = "number"

    @extend_schema(
        operation_id="applyReceipt",
        tags=["billing"],
        summary="Apply a receipt to invoices",
        request=ApplicationsIn,
        responses={201: outputs.ReceiptOut},
    )
    def post(self, request: Request, number: str) -> Response:
        data = self.read(ApplicationsIn)
        receipt = self.get_object()
        parts = [(_invoice(part["invoice"]), part["amount"]) for part in data["parts"]]
        receipts.apply(receipt.pk, parts, applied_on=data["applied_on"], actor=self.actor)
        return self.created(outputs.ReceiptOut(RECEIPTS.get(pk=receipt.pk)).data)


def _entity(code: str) -> int:
    pk = LegalEntity.objects.filter(code=code).values_list("pk", flat=True).first()
    if pk is None:
        raise InvalidInput(f"{code} is no legal entity of ours", fields={"entity": ["is not known"]})
    return pk


def _customer(number: str | None) -> int | None:
    if not number:
        return None
    pk = Customer.objects.filter(number=number).values_list("pk", flat=True).first()
    if pk is None:
        raise InvalidInput(f"There is no customer {number}", fields={"customer": ["is not known"]})
    return pk


def _invoice(number: str) -> int:
    pk = Invoice.objects.filter(number=number).values_list("pk", flat=True).first()
    if pk is None:
        raise NotFound(f"There is no invoice {number}")
    return pk


urlpatterns = [
    path("receipts", Receipts.as_view(), name="api-receipts"),
    path("receipts/<str:number>", ReceiptByNumber.as_view(), name="api-receipt"),
    path(
        "receipts/<str:number>/applications", ReceiptApplications.as_view(), name="api-receipt-applications"
    ),
]
