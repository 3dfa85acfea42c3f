"""Invoices and credit memos as callers read them: posted documents, their lines, their PDF."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import F, QuerySet
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Invoice, InvoiceLine
from billing.services import documents
from o2c.api import fields
from o2c.api.views import DetailView, DownloadView, ListView

POSTED = Invoice.objects.exclude(state=Invoice.State.DRAFT).select_related(
    "customer", "entity", "order", "corrects"
)


class InvoiceRow(serializers.ModelSerializer[Invoice]):
    """A posted document in a list. Amounts are signed: those of a credit memo are negative."""

    customer = serializers.CharField(source="customer.number")
    entity = serializers.CharField(source="entity.code")
    order = serializers.CharField(source="order.number", default=None, allow_null=True)
    corrects = serializers.CharField(source="corrects.number", default=None, allow_null=True)
    net = fields.Amount()
    tax = fields.Amount()
    total = fields.Amount()
    open_amount = fields.Amount(help_text="What is still owed; of a credit memo: still to be used.")

    class Meta:
        model = Invoice
        fields = (
            "number", "kind", "state", "customer", "entity", "order", "currency", "issue_date", "due_date",
            "po_number", "channel", "corrects", "net", "tax", "total", "open_amount",
        )  # fmt: skip


class InvoiceLineOut(serializers.ModelSerializer[InvoiceLine]):
    """A line; service is [service_from, service_to)."""

    quantity = fields.Quantity()
    net = fields.Amount()
    tax = fields.Amount()
    tax_rate = fields.Rate(help_text="As a fraction: 0.0825.")

    class Meta:
        model = InvoiceLine
        fields = (
            "position", "kind", "sku_code", "description", "quantity", "unit", "service_from", "service_to",
            "net", "tax_name", "tax_rate", "tax",
        )  # fmt: skip


class PartyOut(serializers.Serializer[Any]):
    """The buyer as printed on the document; later changes of the customer don't change it."""

    name = serializers.CharField(default="")
    tax_id = serializers.CharField(default="")
    country = serializers.CharField(default="")
    email = serializers.CharField(default="")


class InvoiceOut(InvoiceRow):
    """A posted document with its lines."""

    bill_to = PartyOut()
    lines = InvoiceLineOut(many=True)

    class Meta:
        model = Invoice
        fields = (
            *InvoiceRow.Meta.fields,
            "terms_days",
            "tax_treatment",
            "tax_note",
            "reason",
            "bill_to",
            "lines",
        )


class InvoiceFilter(django_filters.FilterSet):
    customer = django_filters.CharFilter("customer__number")
    order = django_filters.CharFilter("order__number")
    issued_since = django_filters.DateFilter("issue_date", "gte")
    issued_until = django_filters.DateFilter("issue_date", "lt", help_text="exclusive")
    due_until = django_filters.DateFilter("due_date", "lt", help_text="exclusive")
    open = django_filters.BooleanFilter(method="filter_open", help_text="true: something is still owed")

    class Meta:
        model = Invoice
        fields = ("kind", "channel", "state")

    def filter_open(self, rows: QuerySet[Invoice], name: str, wanted: bool) -> QuerySet[Invoice]:
        settled = rows.filter(applied=F("total"))
        still_open = rows.filter(state=Invoice.State.POSTED).exclude(applied=F("total"))
        return still_open if wanted else settled


class Invoices(ListView):
    duties = {"GET": "billing.read"}
    queryset = POSTED
    serializer_class = InvoiceRow
    filterset_class = InvoiceFilter
    order = ("-issue_date", "-id")
    for_salesforce = True

    @extend_schema(operation_id="listInvoices", tags=["billing"], summary="Posted invoices and credit memos")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class InvoiceByNumber(DetailView):
    duties = {"GET": "billing.read"}
    queryset = POSTED.prefetch_related("lines")
    serializer_class = InvoiceOut
    lookup_field = "number"
    for_salesforce = True

    @extend_schema(operation_id="readInvoice", tags=["billing"], summary="An invoice with its lines")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class InvoicePdf(DownloadView):
    duties = {"GET": "billing.read"}
    queryset = POSTED.select_related("document")
    lookup_field = "number"

    @extend_schema(
        operation_id="downloadInvoice",
        tags=["billing"],
        summary="The PDF of an invoice",
        responses={(200, documents.PDF): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """The stored file, or the same bytes made anew where nobody has rendered it yet."""
        invoice: Invoice = self.get_object()
        content = invoice.document.content if invoice.document else documents.content_of(invoice)
        return self.download(bytes(content), documents.PDF, f"{invoice.number}.pdf")


urlpatterns = [
    path("invoices", Invoices.as_view(), name="api-invoices"),
    path("invoices/<str:number>", InvoiceByNumber.as_view(), name="api-invoice"),
    path("invoices/<str:number>/pdf", InvoicePdf.as_view(), name="api-invoice-pdf"),
]
