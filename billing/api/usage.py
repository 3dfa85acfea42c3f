"""Usage by API: events in, hourly totals and parked events out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django_filters
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import UsageException, UsageHour
from billing.services import metering, retractions
from o2c.api.parsers import RawJSONParser
from o2c.api.views import ApiView, ListView


class UsageEventIn(serializers.Serializer[Any]):
    """One metered event. Numbers are taken exactly as written; text is as good as a number."""

    id = serializers.CharField(max_length=200, help_text="Derived from the fact: the same for every sending")
    customer = serializers.CharField(help_text="Customer number")
    meter = serializers.CharField(help_text="Code of the meter")
    time = serializers.DateTimeField(help_text="When it happened; UTC unless it says otherwise")
    quantity = serializers.DecimalField(max_digits=28, decimal_places=9)
    dimensions = serializers.DictField(
        child=serializers.CharField(), required=False, help_text="Only those that the meter declares"
    )
    key = serializers.CharField(required=False, help_text="Usage key of the order line, if it has one")
    subject = serializers.CharField(required=False, help_text="What a unique count counts")


class UsageEventsIn(serializers.Serializer[Any]):
    """A batch of up to 1,000 events of one source."""

    source = serializers.CharField(max_length=60, help_text="The system that meters")  # type: ignore[assignment]
    events = UsageEventIn(many=True)


class UsageProblemOut(serializers.Serializer[Any]):
    n = serializers.IntegerField(help_text="Place in the batch, from 1")
    id = serializers.CharField(source="event_id")
    kind = serializers.ChoiceField(choices=UsageException.Kind.choices)
    message = serializers.CharField()


class UsageOutcomeOut(serializers.Serializer[Any]):
    """received = accepted + duplicate + parked. `problems` names the parked events."""

    batch = serializers.IntegerField()
    received = serializers.IntegerField()
    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField(help_text="Stored or parked before")
    parked = serializers.IntegerField()
    problems = UsageProblemOut(many=True)


class UsageEvents(ApiView):
    """The body goes to the database as it came: it is read there once, with exact numbers."""

    duties = {"POST": "billing.usage.ingest"}
    repeatable_because = "An event counts once, however often its id is sent"
    serializer_class = UsageEventsIn
    parser_classes = (RawJSONParser,)

    def _write(
        self, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        """Without the transaction of other calls: the service opens its own, and another if it must."""
        return handler(request, *args, **kwargs)

    @extend_schema(
        operation_id="sendUsageEvents",
        summary="Send usage events",
        request=UsageEventsIn,
        responses={200: UsageOutcomeOut},
    )
    def post(self, request: Request) -> Response:
        outcome = metering.ingest(
            self.raw_body,
            source_code=self.caller.get_username(),
            actor=self.actor,
            request_id=self.request_id,
        )
        return Response(UsageOutcomeOut(outcome).data)


class RetractionIn(serializers.Serializer[Any]):
    """One event that did not happen."""

    id = serializers.CharField(max_length=200, help_text="Of the retraction: the same for every sending")
    retracts = serializers.CharField(max_length=200, help_text="The id of the event")


class RetractionsIn(serializers.Serializer[Any]):
    """Up to 1,000 retractions of events of one source; all or nothing."""

    source = serializers.CharField(max_length=60, help_text="The system that metered")  # type: ignore[assignment]
    retractions = RetractionIn(many=True, allow_empty=False)


class RetractionsOut(serializers.Serializer[Any]):
    """received = retracted + duplicate."""

    received = serializers.IntegerField()
    retracted = serializers.IntegerField()
    duplicate = serializers.IntegerField(help_text="Retracted before, by the same id")


class UsageRetractions(ApiView):
    duties = {"POST": "billing.usage.retract"}
    repeatable_because = "A retraction counts once, however often its id is sent"
    serializer_class = RetractionsIn

    @extend_schema(
        operation_id="retractUsageEvents",
        tags=["billing"],
        summary="Retract usage events",
        request=RetractionsIn,
        responses={200: RetractionsOut},
    )
    def post(self, request: Request) -> Response:
        data = self.read(RetractionsIn)
        outcome = retractions.retract(data["source"], data["retractions"], actor=self.actor)
        return Response(RetractionsOut(outcome).data)


class UsageHourOut(serializers.ModelSerializer[UsageHour]):
    customer = serializers.CharField(source="customer.number")
    meter = serializers.CharField(source="meter.code")
    order = serializers.CharField(source="line.order.number")
    position = serializers.IntegerField(source="line.position")
    dimensions = serializers.DictField(source="dimensions.values", child=serializers.CharField())

    class Meta:
        model = UsageHour
        fields = ("customer", "meter", "order", "position", "hour", "dimensions", "quantity", "event_count")


class UsageHourFilter(django_filters.FilterSet):
    customer = django_filters.CharFilter("customer__number")
    meter = django_filters.CharFilter("meter__code")
    order = django_filters.CharFilter("line__order__number")
    since = django_filters.IsoDateTimeFilter("hour", "gte")
    until = django_filters.IsoDateTimeFilter("hour", "lt", help_text="exclusive")

    class Meta:
        model = UsageHour
        fields: tuple[str, ...] = ()


class UsageHours(ListView):
    """Metered usage by hour."""

    duties = {"GET": "billing.read"}
    queryset = UsageHour.objects.select_related("customer", "meter", "line__order", "dimensions")
    serializer_class = UsageHourOut
    filterset_class = UsageHourFilter
    order = ("pk",)


class UsageExceptionOut(serializers.ModelSerializer[UsageException]):
    source = serializers.CharField(source="source.code")  # type: ignore[assignment]

    class Meta:
        model = UsageException
        fields = (
            "id",
            "source",
            "event_id",
            "kind",
            "message",
            "customer_number",
            "meter_code",
            "occurred_at",
            "quantity",
            "raw",
            "state",
            "decided_note",
            "created_at",
        )


class UsageExceptionFilter(django_filters.FilterSet):
    source = django_filters.CharFilter("source__code")
    customer = django_filters.CharFilter("customer_number")

    class Meta:
        model = UsageException
        fields = ("state", "kind", "event_id")


class UsageExceptions(ListView):
    """Usage events that were parked, and why."""

    duties = {"GET": "billing.read"}
    queryset = UsageException.objects.select_related("source")
    serializer_class = UsageExceptionOut
    filterset_class = UsageExceptionFilter
    order = ("-pk",)


urlpatterns = [
    path("usage/events", UsageEvents.as_view(), name="api-usage-events"),
    path("usage/hours", UsageHours.as_view(), name="api-usage-hours"),
    path("usage/retractions", UsageRetractions.as_view(), name="api-usage-retractions"),
    path("usage/exceptions", UsageExceptions.as_view(), name="api-usage-exceptions"),
]
