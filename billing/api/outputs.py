"""What the calls of billing answer: documents, balances, receipts, refunds."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.models import Application, Invoice, InvoiceLine, Receipt, Refund
from o2c.api.fields import Amount, Currency, Document, Quantity, Rate
from o2c.vault import is_sealed, masked


class InvoiceLineOut(serializers.ModelSerializer[InvoiceLine]):
    order = serializers.CharField(
        source="order_line.order.number", default=None, allow_null=True, help_text="Order number"
    )
    quantity = Quantity()
    net = Amount()
    tax_rate = Rate(help_text="As a fraction")
    tax = Amount()
    service_to = serializers.DateField(help_text="Exclusive", allow_null=True)

    class Meta:
        model = InvoiceLine
        fields = (
            "position",
            "kind",
            "description",
            "sku_code",
            "order",
            "service_from",
            "service_to",
            "quantity",
            "unit",
            "net",
            "tax_name",
            "tax_rate",
            "tax",
        )


class InvoiceRow(serializers.ModelSerializer[Invoice]):
    """A posted document. Amounts are signed: those of a credit memo are negative."""

    customer = serializers.CharField(source="customer.number", help_text="Customer number")
    customer_salesforce_id = serializers.CharField(source="customer.salesforce_id", allow_null=True)
    order = serializers.CharField(source="order.number", default=None, allow_null=True)
    entity = serializers.CharField(source="entity.code", help_text="Our legal entity")
    currency = Currency()
    net = Amount()
    tax = Amount()
    total = Amount()
    open = Amount(source="open_amount", help_text="Still owed, or still to be used (negative)")
    corrects = serializers.CharField(
        source="corrects.number", default=None, allow_null=True, help_text="The invoice that a memo credits"
    )
    pdf = serializers.SerializerMethodField(help_text="Address of the PDF")

    class Meta:
        model = Invoice
        fields = (
            "number",
            "kind",
            "state",
            "entity",
            "customer",
            "customer_salesforce_id",
            "order",
            "po_number",
            "issue_date",
            "due_date",
            "currency",
            "net",
            "tax",
            "total",
            "open",
            "channel",
            "tax_treatment",
            "corrects",
            "reason_code",
            "pdf",
        )

    def get_pdf(self, document: Invoice) -> str:
        return reverse("api-invoice-pdf", args=(document.number,))


class InvoiceOut(InvoiceRow):
    """A document with its lines and the parties as printed."""

    lines = InvoiceLineOut(many=True)
    bill_to = Document()
    seller = serializers.SerializerMethodField()

    class Meta(InvoiceRow.Meta):
        fields = (*InvoiceRow.Meta.fields, "tax_note", "bill_to", "seller", "lines")  # type: ignore[assignment]

    @extend_schema_field(Document())
    def get_seller(self, document: Invoice) -> dict[str, Any]:
        """As printed, with bank data by its last characters: the document itself says where to pay."""
        return {name: masked(value) if is_sealed(value) else value for name, value in document.seller.items()}


class BucketsOut(serializers.Serializer[Any]):
    """Open amounts by days past due."""

    current = Amount()
    days_1_30 = Amount(source="1-30")
    days_31_60 = Amount(source="31-60")
    days_61_90 = Amount(source="61-90")
    days_over_90 = Amount(source="90+")


class AccountOut(serializers.Serializer[Any]):
    """What a customer owes one of our entities in one currency."""

    entity = serializers.CharField()
    currency = Currency()
    open = Amount(help_text="Open invoices less unused credit memos")
    overdue = Amount()
    disputed = Amount(help_text="Part of open")
    unapplied = Amount(help_text="Cash on account")
    balance = Amount(help_text="open - unapplied")
    buckets = BucketsOut()


class CustomerBalanceOut(serializers.Serializer[Any]):
    customer = serializers.CharField()
    as_of = serializers.DateField()
    accounts = AccountOut(many=True)


class ApplicationOut(serializers.ModelSerializer[Application]):
    invoice = serializers.CharField(source="invoice.number", default=None, allow_null=True)
    refund = serializers.CharField(
        source="refund.number", default=None, allow_null=True, help_text="Of kind refund: the refund's number"
    )
    amount = Amount(help_text="Negative: a reversal")

    class Meta:
        model = Application
        fields = ("id", "kind", "invoice", "refund", "amount", "applied_on", "matched_by", "reverses")


class ReceiptOut(serializers.ModelSerializer[Receipt]):
    entity = serializers.CharField(source="entity.code")
    customer = serializers.CharField(source="customer.number", default=None, allow_null=True)
    currency = Currency()
    amount = Amount()
    unapplied = Amount(source="unapplied_amount")
    applications = ApplicationOut(many=True)

    class Meta:
        model = Receipt
        fields = (
            "number",
            "entity",
            "customer",
            "currency",
            "amount",
            "unapplied",
            "received_on",
            "method",
            "reference",
            "payer_name",
            "external_id",
            "state",
            "applications",
        )


class RefundOut(serializers.ModelSerializer[Refund]):
    """A refund. Where it is paid to is said by its last characters."""

    entity = serializers.CharField(source="entity.code")
    customer = serializers.CharField(source="customer.number", default=None, allow_null=True)
    receipt = serializers.CharField(source="receipt.number", default=None, allow_null=True)
    credit_memo = serializers.CharField(source="credit_memo.number", default=None, allow_null=True)
    currency = Currency()
    amount = Amount()
    payee_account = serializers.SerializerMethodField(help_text="Its last characters")

    class Meta:
        model = Refund
        fields = (
            "number",
            "entity",
            "customer",
            "receipt",
            "credit_memo",
            "currency",
            "amount",
            "refund_on",
            "reason_code",
            "method",
            "payee_name",
            "payee_account",
            "state",
            "paid_on",
            "payment_reference",
            "failed_on",
            "failure",
        )

    def get_payee_account(self, refund: Refund) -> str:
        return masked(refund.payee_account)
