"""Reading partners through the API: agreements, usage hours, breaks."""

from typing import Any

import django_filters
from rest_framework import serializers

from o2c.api import fields
from o2c.api.views import DetailView, ListView
from partners.models import AgreementDimension, AgreementIdentity, AwsAgreement, Break, MeteringRecord
from partners.selectors.metering import newest_disposition


class IdentityOut(serializers.ModelSerializer[AgreementIdentity]):
    class Meta:
        model = AgreementIdentity
        fields = (
            "customer_identifier", "aws_account_id", "license_arn", "product_code", "product_id",
            "agreement_ref",
            "offer_id", "source", "recorded_at",
        )  # fmt: skip


class DimensionOut(serializers.ModelSerializer[AgreementDimension]):
    per_unit = fields.Quantity()
    rate = fields.Rate()
    sku = serializers.CharField(source="line.sku.code")

    class Meta:
        model = AgreementDimension
        fields = ("key", "sku", "per_unit", "rate")


class AgreementOut(serializers.ModelSerializer[AwsAgreement]):
    customer = serializers.CharField(source="customer.number")
    order = serializers.CharField(source="order.number")
    identities = IdentityOut(many=True)
    dimensions = DimensionOut(many=True)
    total_contract_value = fields.Amount()

    class Meta:
        model = AwsAgreement
        fields = (
            "number", "customer", "order", "state", "currency", "programme", "total_contract_value",
            "started_at",
            "ended_at", "identities", "dimensions",
        )  # fmt: skip


class AgreementFilter(django_filters.FilterSet):
    class Meta:
        model = AwsAgreement
        fields = {"state": ["exact"], "order__number": ["exact"], "customer__number": ["exact"]}


AGREEMENTS = AwsAgreement.objects.select_related("customer", "order").prefetch_related(
    "identities", "dimensions__line__sku"
)


class Agreements(ListView):
    """AWS Marketplace agreements."""

    duties = {"GET": "partners.read"}
    queryset = AGREEMENTS
    serializer_class = AgreementOut
    filterset_class = AgreementFilter
    order = ("number",)


class Agreement(DetailView):
    """An agreement, with what is metered and who the buyer is."""

    duties = {"GET": "partners.read"}
    queryset = AGREEMENTS
    serializer_class = AgreementOut
    lookup_field = "number"


class MeteringOut(serializers.ModelSerializer[MeteringRecord]):
    agreement = serializers.CharField(source="dimension.agreement.number")
    dimension = serializers.CharField(source="dimension.key")
    used = fields.Quantity()
    late = fields.Quantity()
    answer = serializers.CharField(
        help_text="accepted, retry, held, lost; empty before any answer", default=""
    )

    class Meta:
        model = MeteringRecord
        fields = ("id", "agreement", "dimension", "hour", "used", "late", "quantity", "answer")


class MeteringFilter(django_filters.FilterSet):
    hour_from = django_filters.IsoDateTimeFilter(field_name="hour", lookup_expr="gte")
    hour_to = django_filters.IsoDateTimeFilter(field_name="hour", lookup_expr="lt")
    agreement = django_filters.CharFilter(field_name="dimension__agreement__number")

    class Meta:
        model = MeteringRecord
        fields: list[str] = []


class Metering(ListView):
    """Usage hours that were frozen, and what AWS answered."""

    duties = {"GET": "partners.read"}
    queryset = MeteringRecord.objects.select_related("dimension__agreement").annotate(
        answer=newest_disposition()
    )
    serializer_class = MeteringOut
    filterset_class = MeteringFilter


class BreakOut(serializers.ModelSerializer[Break]):
    number = serializers.CharField()
    agreement: Any = serializers.CharField(source="agreement.number", default=None)
    expected = fields.Quantity()
    actual = fields.Quantity()
    value = fields.Amount()

    class Meta:
        model = Break
        fields = (
            "number", "type", "leg", "agreement", "period", "expected", "actual", "value", "currency",
            "state",
            "first_seen_at", "escalates_at", "resolution",
        )  # fmt: skip


class BreakFilter(django_filters.FilterSet):
    class Meta:
        model = Break
        fields = {"state": ["exact"], "type": ["exact"], "leg": ["exact"], "agreement__number": ["exact"]}


class Breaks(ListView):
    """Differences between what we expect of a channel and what it says."""

    duties = {"GET": "partners.read"}
    queryset = Break.objects.select_related("agreement")
    serializer_class = BreakOut
    filterset_class = BreakFilter
