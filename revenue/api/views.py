"""What an ERP, a data warehouse or the CRM reads of revenue, and the ledger's answer to an export."""

from __future__ import annotations

import datetime as dt
from typing import Any

import django_filters
from django.db.models import Prefetch
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from o2c.api import fields
from o2c.api.views import ApiView, DetailView, ListView
from o2c.errors import InvalidInput, NotFound
from o2c.ledger.models import AccountingPeriod, LegalEntity
from revenue.api import outputs
from revenue.models import GlExport, Obligation, Recognition, RevenueContract
from revenue.selectors import reports, standing
from revenue.selectors import trial_balance as books
from revenue.services import exports

READ = {"GET": "revenue.read"}
CONTRACTS = RevenueContract.objects.select_related("order", "customer", "entity")


def _entity(code: str) -> LegalEntity | None:
    if not code:
        return None
    found = LegalEntity.objects.filter(code=code).first()
    if found is None:
        raise NotFound(f"There is no legal entity {code!r}")
    return found


class ContractFilter(django_filters.FilterSet):
    class Meta:
        model = RevenueContract
        fields = {"currency": ["exact"], "entity__code": ["exact"], "customer__number": ["exact"]}


class Contracts(ListView):
    duties = READ
    queryset = CONTRACTS
    serializer_class = outputs.ContractOut
    filterset_class = ContractFilter

    @extend_schema(operation_id="listContracts", tags=["revenue"], summary="Revenue contracts")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class ContractByOrder(DetailView):
    duties = READ
    queryset = CONTRACTS.prefetch_related(
        Prefetch(
            "obligations",
            Obligation.objects.select_related("order_line__sku").order_by("order_line__position"),
        )
    )
    serializer_class = outputs.ContractDetailOut
    lookup_field = "order__number"
    lookup_url_kwarg = "number"

    @extend_schema(
        operation_id="readContract",
        tags=["revenue"],
        summary="A contract, its obligations and revenue by month",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_object(self) -> RevenueContract:
        contract: Any = super().get_object()
        contract.months = standing.months(contract)
        return contract  # type: ignore[no-any-return]


class RecognitionFilter(django_filters.FilterSet):
    order = django_filters.CharFilter(field_name="contract__order__number")
    period = django_filters.CharFilter(field_name="period__name")
    entity = django_filters.CharFilter(field_name="period__entity__code")

    class Meta:
        model = Recognition
        fields = ("order", "period", "entity", "kind")


class Recognitions(ListView):
    duties = READ
    queryset = Recognition.objects.select_related("contract__order", "obligation__order_line", "period")
    serializer_class = outputs.RecognitionOut
    filterset_class = RecognitionFilter

    @extend_schema(operation_id="listRecognitions", tags=["revenue"], summary="Revenue that was posted")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class Balances(ApiView):
    duties = READ
    serializer_class = outputs.BalancesOut
    pagination_class = None

    @extend_schema(
        operation_id="readBalances",
        tags=["revenue"],
        summary="Deferred, prepaid and unbilled balances and contract assets",
        parameters=[
            OpenApiParameter("as_of", dt.date, required=True, description="What was posted before this day."),
            OpenApiParameter("entity", str, description="Code of a legal entity; all without it."),
        ],
    )
    def get(self, request: Request) -> Response:
        try:
            as_of = dt.date.fromisoformat(request.query_params.get("as_of", ""))
        except ValueError as error:
            raise InvalidInput("as_of is not a date", remedy="Send ?as_of=2026-09-01") from error
        entity = _entity(request.query_params.get("entity", ""))
        rows = reports.balances(as_of, entity_id=entity.pk if entity else None)
        return Response(self.get_serializer({"as_of": as_of, "balances": rows}).data)


class TrialBalance(ApiView):
    duties = READ
    serializer_class = outputs.TrialBalanceOut
    pagination_class = None

    @extend_schema(
        operation_id="readTrialBalance",
        tags=["revenue"],
        summary="The trial balance of an entity at the end of a month",
    )
    def get(self, request: Request, entity: str, period: str) -> Response:
        found = (
            AccountingPeriod.objects.select_related("entity").filter(entity__code=entity, name=period).first()
        )
        if found is None:
            raise NotFound(f"{entity} has no accounting period {period!r}")
        movements = books.hashes(found.pk)["trial_balance"]
        data = {
            "entity": entity,
            "period": period,
            "state": found.state,
            "functional_currency": found.entity.currency,
            "sha256": movements["sha256"],
            "rows": books.trial_balance(found),
        }
        return Response(self.get_serializer(data).data)


class ExportFilter(django_filters.FilterSet):
    class Meta:
        model = GlExport
        fields = {"state": ["exact"], "entity__code": ["exact"], "period__name": ["exact"]}


class Exports(ListView):
    duties = READ
    queryset = GlExport.objects.select_related("entity", "period")
    serializer_class = outputs.ExportOut
    filterset_class = ExportFilter

    @extend_schema(operation_id="listExports", tags=["revenue"], summary="Files for the general ledger")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class AcknowledgeIn(fields.Body):
    """What the ledger took: it must be the whole file."""

    lines = serializers.IntegerField(min_value=0)
    total_debit = fields.Amount()
    gl_reference = serializers.CharField(max_length=80, required=False, default="")


class ExportAcknowledgement(ApiView):
    duties = {"POST": "revenue.export.acknowledge"}
    serializer_class = outputs.ExportOut
    pagination_class = None

    @extend_schema(
        operation_id="acknowledgeExport",
        tags=["revenue"],
        summary="The ledger says what it took of an export",
        request=AcknowledgeIn,
    )
    def post(self, request: Request, external_id: str) -> Response:
        data = self.read(AcknowledgeIn)
        export = GlExport.objects.filter(external_id=external_id).first()
        if export is None:
            raise NotFound(f"There is no export {external_id!r}")
        done = exports.acknowledge(export.pk, actor=self.actor, **data)
        return Response(self.get_serializer(done).data)
