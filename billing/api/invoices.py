"""Posted documents, their PDF, and what a customer owes."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Prefetch
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api import outputs
from billing.models import Invoice, InvoiceLine
from billing.selectors import ageing
from billing.services import documents
from o2c import clock
from o2c.api.fields import Body
from o2c.api.views import ApiView, DetailView, DownloadView, ListView
from o2c.errors import NotFound
from o2c.ledger.models import LegalEntity
from orders.models import Customer

# Drafts are nobody's business outside: they may still change or vanish.
DOCUMENTS = Invoice.objects.exclude(state=Invoice.State.DRAFT).select_related(
    "customer", "order", "entity", "corrects"
)
LINES = Prefetch("lines", InvoiceLine.objects.select_related("order_line__order").order_by("position"))


class InvoiceFilter(django_filters.FilterSet):
    open = django_filters.BooleanFilter(method="only_open", label="Something is still owed or unused")

    class Meta:
        model = Invoice
        fields = {
            "customer__number": ["exact"],
            "customer__salesforce_id": ["exact"],
            "order__number": ["exact"],
            "kind": ["exact"],
            "state": ["exact"],
            "currency": ["exact"],
            "issue_date": ["gte", "lt"],
            "due_date": ["gte", "lt"],
        }

    def only_open(self, queryset: Any, name: str, value: bool) -> Any:
        return queryset.open() if value else queryset


class Invoices(ListView):
    duties = {"GET": "billing.read"}
    queryset = DOCUMENTS
    serializer_class = outputs.InvoiceRow
    filterset_class = InvoiceFilter
    order = ("-issue_date", "-id")
    for_salesforce = True

    @extend_schema(operation_id="listInvoices", tags=["billing"], summary="Invoices and credit memos")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class InvoiceByNumber(DetailView):
    duties = {"GET": "billing.read"}
    queryset = DOCUMENTS.prefetch_related(LINES)
    serializer_class = outputs.InvoiceOut
    lookup_field = "number"
    for_salesforce = True

    @extend_schema(operation_id="readInvoice", tags=["billing"], summary="A document with its lines")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class CreditMemos(Invoices):
    queryset = DOCUMENTS.filter(kind=Invoice.Kind.CREDIT_MEMO)

    @extend_schema(operation_id="listCreditMemos", tags=["billing"], summary="Credit memos")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class InvoicePdf(DownloadView):
    """The stored file, or the same bytes made anew where nobody has rendered it yet: a GET stores nothing."""

    duties = {"GET": "billing.read"}
    queryset = DOCUMENTS.select_related("document")
    serializer_class = serializers.Serializer
    lookup_field = "number"

    @extend_schema(
        operation_id="readInvoicePdf",
        tags=["billing"],
        summary="The PDF of a document",
        responses={(200, documents.PDF): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, number: str) -> HttpResponse:
        invoice: Invoice = self.get_object()
        content = invoice.document.content if invoice.document else documents.content_of(invoice)
        return self.download(bytes(content), documents.PDF, f"{invoice.number}.pdf")


class AsOfIn(Body):
    as_of = serializers.DateField(required=False)


class CustomerBalance(ApiView):
    duties = {"GET": "billing.read"}
    queryset = Customer.objects.all()
    serializer_class = outputs.CustomerBalanceOut
    for_salesforce = True

    @extend_schema(
        operation_id="readBalance",
        tags=["billing"],
        summary="What a customer owes, by entity and currency, as of a day",
        parameters=[OpenApiParameter("as_of", OpenApiTypes.DATE, description="By default today, UTC")],
        responses={200: outputs.CustomerBalanceOut},
    )
    def get(self, request: Request, number: str) -> Response:
        customer = Customer.objects.filter(number=number).first()
        if customer is None:
            raise NotFound(f"There is no customer {number}")
        as_of = self.read(AsOfIn, self.request.query_params.dict()).get("as_of") or clock.today()
        codes = dict(LegalEntity.objects.values_list("pk", "code"))
        accounts = [
            {
                "entity": codes[entity],
                "currency": currency,
                "open": aged.total,
                "overdue": aged.overdue,
                "disputed": aged.disputed,
                "unapplied": aged.unapplied,
                "balance": aged.balance,
                "buckets": aged.buckets,
            }
            for (entity, _, currency), aged in ageing.by_customer(as_of, customer_id=customer.pk).items()
        ]
        return Response(
            outputs.CustomerBalanceOut({"customer": number, "as_of": as_of, "accounts": accounts}).data
        )


urlpatterns = [
    path("invoices", Invoices.as_view(), name="api-invoices"),
    path("invoices/<str:number>", InvoiceByNumber.as_view(), name="api-invoice"),
    path("invoices/<str:number>/pdf", InvoicePdf.as_view(), name="api-invoice-pdf"),
    path("credit-memos", CreditMemos.as_view(), name="api-credit-memos"),
    path("customers/<str:number>/balance", CustomerBalance.as_view(), name="api-customer-balance"),
]
