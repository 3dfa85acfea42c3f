"""What callers get."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from o2c.api import fields
from revenue.models import GlExport, Obligation, Recognition, RevenueContract


class ObligationOut(serializers.ModelSerializer[Obligation]):
    """A promise to the customer: one order line."""

    line = serializers.IntegerField(source="order_line.position")
    sku = serializers.CharField(source="order_line.sku.code")
    stated = fields.Amount()
    ssp = fields.Amount(help_text="Stand-alone selling price, whole term.")
    allocated = fields.Amount()

    class Meta:
        model = Obligation
        fields = (
            "line", "sku", "description", "treatment", "basis", "starts_on", "ends_on", "stated", "ssp",
            "allocated", "balance_account", "revenue_account",
        )  # fmt: skip


class ContractOut(serializers.ModelSerializer[RevenueContract]):
    """An order as a revenue contract, at its current version."""

    order = serializers.CharField(source="order.number")
    customer = serializers.CharField(source="customer.number")
    entity = serializers.CharField(source="entity.code")
    transaction_price = fields.Amount(help_text="Fixed consideration; usage is not in it.")

    class Meta:
        model = RevenueContract
        fields = (
            "order",
            "customer",
            "entity",
            "currency",
            "version",
            "starts_on",
            "ends_on",
            "transaction_price",
        )


class MonthOut(serializers.Serializer[Any]):
    month = serializers.CharField(help_text="The month the revenue belongs to, '2026-08'.")
    planned = fields.Amount()
    posted = fields.Amount()


class ContractDetailOut(ContractOut):
    """A contract with its obligations and its revenue by month."""

    obligations = ObligationOut(many=True)
    months = MonthOut(many=True)

    class Meta(ContractOut.Meta):
        fields = (*ContractOut.Meta.fields, "obligations", "months")  # type: ignore[assignment]


class RecognitionOut(serializers.ModelSerializer[Recognition]):
    """Revenue that was posted."""

    order = serializers.CharField(source="contract.order.number")
    line = serializers.IntegerField(source="obligation.order_line.position")
    month = serializers.SerializerMethodField(help_text="The month the revenue belongs to.")
    period = serializers.CharField(source="period.name", help_text="The month it was posted in.")
    currency = serializers.CharField(source="contract.currency")
    amount = fields.Amount()
    functional = fields.Amount(help_text="In the entity's currency.")

    class Meta:
        model = Recognition
        fields = (
            "id",
            "order",
            "line",
            "month",
            "period",
            "kind",
            "currency",
            "amount",
            "functional",
            "rule",
        )

    def get_month(self, row: Recognition) -> str:
        return f"{row.effective_month:%Y-%m}"


class BalanceOut(serializers.Serializer[Any]):
    """A contract balance; liabilities positive, assets negative."""

    entity = serializers.CharField()
    account = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField()
    amount = fields.Amount()
    functional_currency = serializers.CharField()
    functional = fields.Amount()


class BalancesOut(serializers.Serializer[Any]):
    as_of = serializers.DateField(help_text="Exclusive: what was posted before this day.")
    balances = BalanceOut(many=True)


class TrialBalanceRowOut(serializers.Serializer[Any]):
    """One account in one currency; debit positive."""

    account = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField()
    opening = fields.Amount()
    debit = fields.Amount()
    credit = fields.Amount()
    closing = fields.Amount()
    functional_opening = fields.Amount()
    functional_debit = fields.Amount()
    functional_credit = fields.Amount()
    functional_closing = fields.Amount()


class TrialBalanceOut(serializers.Serializer[Any]):
    entity = serializers.CharField()
    period = serializers.CharField()
    state = serializers.CharField()
    functional_currency = serializers.CharField()
    sha256 = serializers.CharField(help_text="Of the period's movements: the same books give the same hash.")
    rows = TrialBalanceRowOut(many=True)


class ExportOut(serializers.ModelSerializer[GlExport]):
    """A file for the general ledger."""

    entity = serializers.CharField(source="entity.code")
    period = serializers.CharField(source="period.name")
    total_debit = fields.Amount()
    total_credit = fields.Amount()

    class Meta:
        model = GlExport
        fields = (
            "external_id", "entity", "period", "format", "state", "journals", "lines", "total_debit",
            "total_credit", "sha256", "gl_reference",
        )  # fmt: skip
