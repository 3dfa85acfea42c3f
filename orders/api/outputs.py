"""What callers get."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from o2c.api import fields
from orders.api.inputs import Commitments, Schedule
from orders.models import (
    Amendment,
    Contact,
    Customer,
    DealIntake,
    Entitlement,
    MilestoneRecord,
    Order,
    OrderLine,
    Segment,
    TaxRegistration,
)


class ContactOut(serializers.ModelSerializer[Contact]):
    class Meta:
        model = Contact
        fields = ("name", "email", "kind")


class TaxRegistrationOut(serializers.ModelSerializer[TaxRegistration]):
    class Meta:
        model = TaxRegistration
        fields = ("country", "number")


class CustomerOut(serializers.ModelSerializer[Customer]):
    entity = serializers.CharField(source="entity.code")
    contacts = ContactOut(many=True)
    tax_registrations = TaxRegistrationOut(many=True)

    class Meta:
        model = Customer
        fields = (
            "number", "name", "legal_name", "state", "entity", "currency", "country", "region", "tax_id",
            "tax_exempt", "payment_terms_days", "bill_to_name", "bill_to_line1", "bill_to_line2",
            "bill_to_city", "bill_to_region", "bill_to_postal_code", "bill_to_country", "billing_email",
            "time_zone", "salesforce_id", "consolidate_invoices", "contacts", "tax_registrations",
        )  # fmt: skip


class SegmentOut(serializers.ModelSerializer[Segment]):
    """Quantity at a price on [starts_on, ends_on)."""

    quantity = fields.Quantity()
    price_id = serializers.IntegerField()
    price = serializers.CharField(source="price.__str__", help_text="The list price version, 'SEATS USD v1'.")
    price_override = fields.Document(allow_null=True)
    discount_percent = fields.Rate()

    class Meta:
        model = Segment
        fields = (
            "starts_on",
            "ends_on",
            "quantity",
            "price_id",
            "price",
            "price_override",
            "discount_percent",
            "paused",
        )


class EntitlementOut(serializers.ModelSerializer[Entitlement]):
    quantity = fields.Quantity()

    class Meta:
        model = Entitlement
        fields = ("id", "starts_on", "ends_on", "quantity", "action", "state", "external_ref", "last_error")


class LineOut(serializers.ModelSerializer[OrderLine]):
    sku = serializers.CharField(source="sku.code")
    schedule = Schedule(help_text="Instalments, if billed by them.")
    segments = SegmentOut(many=True, source="in_force")
    entitlements = EntitlementOut(many=True)

    class Meta:
        model = OrderLine
        fields = (
            "id", "position", "sku", "description", "timing", "frequency", "schedule", "usage_key",
            "source_line_id", "segments", "entitlements",
        )  # fmt: skip


class AmendmentOut(serializers.ModelSerializer[Amendment]):
    value_before = fields.Amount(allow_null=True)
    value_after = fields.Amount(allow_null=True)

    class Meta:
        model = Amendment
        fields = (
            "number", "kind", "effective_on", "state", "reason", "value_before", "value_after", "applied_on",
        )  # fmt: skip


class MilestoneOut(serializers.ModelSerializer[MilestoneRecord]):
    class Meta:
        model = MilestoneRecord
        fields = ("line_id", "milestone", "sequence", "reached_on", "reason")


class OrderRow(serializers.ModelSerializer[Order]):
    """An order in a list."""

    customer = serializers.CharField(source="customer.number")
    entity = serializers.CharField(source="entity.code")

    class Meta:
        model = Order
        fields = (
            "number", "customer", "entity", "currency", "state", "title", "signed_on", "activated_on",
            "starts_on", "ends_on", "cancelled_on", "po_number", "channel", "salesforce_opportunity_id",
        )  # fmt: skip


class BlockerOut(serializers.Serializer[Any]):
    """Why the order can't activate yet."""

    line = serializers.IntegerField(source="position", help_text="Position of the line; 0 for the order.")
    sku = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()
    remedy = serializers.CharField()


class OrderOut(OrderRow):
    """An order with its lines, segments, entitlements and amendments."""

    value = fields.Amount(help_text="Committed value over the term.")
    signed_total = fields.Amount(allow_null=True)
    commitments = Commitments()
    invoice_thresholds = serializers.ListField(child=serializers.CharField())
    blockers = BlockerOut(many=True, help_text="Of a draft or signed order.")
    lines = LineOut(many=True)
    amendments = AmendmentOut(many=True)

    class Meta:
        model = Order
        fields = (
            *OrderRow.Meta.fields,
            "billing_frequency", "anchor", "anchor_on", "proration", "counted_day", "remainder",
            "payment_terms_days", "time_zone",
            "late_usage_policy", "commitments", "invoice_thresholds", "auto_renew", "renewal_term_months",
            "signed_total", "value",
            "blockers", "lines", "amendments",
        )  # fmt: skip


class DealErrorOut(serializers.Serializer[Any]):
    """One reason why a deal is parked, at the field of the CRM's payload."""

    field = serializers.CharField()
    message = serializers.CharField()
    code = serializers.CharField()


class DealOut(serializers.ModelSerializer[DealIntake]):
    """What became of a deal: accepted with its draft order, or parked with the reasons."""

    opportunity = serializers.CharField(source="external_id")
    order = serializers.CharField(source="order.number", default=None, allow_null=True)
    problems = DealErrorOut(many=True, source="errors")

    class Meta:
        model = DealIntake
        fields = ("id", "opportunity", "state", "order", "problems")
