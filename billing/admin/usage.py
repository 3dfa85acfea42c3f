"""Metered usage: what arrived, what was parked, and the hours that are rated."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin

from billing.models import Charge, UsageBatch, UsageEvent, UsageException, UsageHour, UsageSource
from o2c.console import Column, Fact, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.registry import Anchor

AREA = "Billing"


@admin.register(UsageException)
class UsageExceptionAdmin(RecordAdmin):
    """Events that could not be stored as usage."""

    area, icon, nav_position, nav_title = AREA, "report", 60, "Parked usage"
    list_display = [
        "event",
        "kind",
        "customer_number",
        "meter_code",
        "occurred_at",
        "quantity",
        "owner",
        "state",
    ]
    list_select_related = ["source", "owner", "batch"]
    list_filter = ["state", "kind", "source", "meter_code"]
    search_fields = ["event_id", "customer_number", "message"]
    find_fields = ["=event_id"]
    fieldsets = [
        (
            "Event",
            {"fields": ["source", "event_id", "customer_number", "meter_code", "occurred_at", "quantity"]},
        ),
        ("Decision", {"fields": ["kind", "message", "owner", "decided_note"]}),
        ("As it came", {"fields": ["raw"]}),
    ]
    transition_options = {
        "accept": {
            "icon": "replay",
            "description": "Stored as usage if its cause is gone; else the reason stays.",
        },
        "reject": {"reason": "required", "danger": True, "icon": "block"},
    }
    empty_text = "Every event that arrived was stored as usage."

    @admin.display(description="Event", ordering="event_id")
    def event(self, parked: UsageException) -> str:
        return parked.event_id or f"without id, {parked.pk}"

    def facts(self, parked: UsageException) -> list[Fact]:
        return [
            Fact("Why", parked.get_kind_display()),
            Fact("Customer", parked.customer_number),
            Fact("Meter", parked.meter_code),
            Fact("Quantity", parked.quantity),
            Fact("Happened at", parked.occurred_at),
        ]

    def notices(self, parked: UsageException) -> list[tuple[str, str]]:
        return [("warn", parked.message)] if parked.state == UsageException.State.OPEN else []

    def panels(self, parked: UsageException) -> list[Panel]:
        alike = UsageException.objects.filter(
            kind=parked.kind, customer_number=parked.customer_number, state=UsageException.State.OPEN
        ).exclude(pk=parked.pk)
        return [
            Panel(
                "Others that wait for the same cause",
                alike.order_by("pk"),
                ["event_id", "meter_code", "occurred_at", "quantity"],
                limit=10,
                href=fmt.list_url(UsageException, kind__exact=parked.kind, state__exact="open"),
                empty="None.",
            )
        ]


@admin.register(UsageBatch)
class UsageBatchAdmin(RecordAdmin):
    """Every delivery of events, with what became of it: received = accepted + duplicate + parked."""

    area, icon, nav_position = AREA, "input", 62
    list_display = [
        "id",
        "recorded_at",
        "source",
        "channel",
        "file_name",
        "received",
        "accepted",
        "duplicate",
        "parked",
    ]
    list_select_related = ["source"]
    list_filter = ["source", "channel", "recorded_at"]
    search_fields = ["file_name", "request_id"]
    find_fields = ["file_name", "=request_id"]
    ordering = ["-id"]
    empty_text = "Usage arrives by POST /api/v1/usage, or with `manage.py import_usage`."

    def facts(self, batch: UsageBatch) -> list[Fact]:
        return [
            Fact("Received", batch.received),
            Fact("Stored", batch.accepted),
            Fact("Known before", batch.duplicate),
            Fact("Parked", batch.parked),
        ]

    def panels(self, batch: UsageBatch) -> list[Panel]:
        columns = ["event_id", "kind", "customer_number", "meter_code", "message", "state"]
        return [Panel("Parked", batch.exceptions.order_by("pk"), columns, empty="Nothing of it was parked.")]


@admin.register(UsageSource)
class UsageSourceAdmin(RecordAdmin):
    """The systems that send usage."""

    area, icon, nav_position = AREA, "sensors", 66
    list_display = ["code", "description"]
    search_fields = ["code"]
    empty_text = "A source is made when its first batch arrives."

    def panels(self, source: UsageSource) -> list[Panel]:
        columns = ["id", "recorded_at", "channel", "file_name", "received", "accepted", "duplicate", "parked"]
        return [
            Panel(
                "Latest batches",
                source.batches.order_by("-pk"),
                columns,
                limit=10,
                href=fmt.list_url(UsageBatch, source__id__exact=source.pk),
            )
        ]


@admin.register(UsageHour)
class UsageHourAdmin(RecordAdmin):
    """Totals by order line, meter, dimensions and hour: what is rated."""

    area, icon, nav_position, nav_title = AREA, "timeline", 64, "Usage by hour"
    list_display = ["hour", "customer", "line", "meter", "dimensions", "quantity", "event_count"]
    list_select_related = ["customer", "line__sku", "line__order", "meter", "dimensions"]
    list_filter = ["meter", "hour"]
    search_fields = ["=customer__number", "=line__order__number"]
    ordering = ["-id"]
    empty_text = "Totals appear with the first event of an hour."

    def strip_anchor(self, hour: UsageHour) -> Anchor | None:
        return Anchor("order", (hour.line.order_id,)) if hour.line_id else None

    def facts(self, hour: UsageHour) -> list[Fact]:
        return [
            Fact("Customer", hour.customer),
            Fact("Order", hour.line.order if hour.line_id else None),
            Fact("Quantity", hour.quantity, note=hour.meter.unit),
            Fact("Events", hour.event_count),
        ]

    def panels(self, hour: UsageHour) -> list[Panel]:
        """The events of the hour. Their quantities add up to the hour's."""

        events = UsageEvent.objects.filter(
            line_id=hour.line_id,
            dimensions_id=hour.dimensions_id,
            occurred_at__gte=hour.hour,
            occurred_at__lt=hour.hour + timedelta(hours=1),
        )
        columns = ["event_id", "occurred_at", Column("quantity", total=True), "source", "batch"]
        return [
            Panel(
                "Events",
                events.select_related("source", "batch").order_by("occurred_at"),
                columns,
                link_rows=False,
                limit=100,
            )
        ]


@admin.register(Charge)
class ChargeAdmin(RecordAdmin):
    """What was billed, charge by charge, each with its working."""

    area, icon, nav_position, nav_title = AREA, "request_quote", 25, "Charges"
    list_display = [
        "id",
        "line",
        "kind",
        "service_from",
        "service_to",
        "quantity",
        "amount",
        "revision",
        "invoice_line",
    ]
    list_select_related = ["line__sku", "line__order", "invoice_line__invoice"]
    list_filter = ["kind", "currency", "service_from"]
    search_fields = ["=line__order__number", "=invoice_line__invoice__number"]
    ordering = ["-id"]
    find_amounts = ["amount"]
    empty_text = "Charges are recorded when a bill run posts."

    def strip_anchor(self, charge: Charge) -> Anchor | None:
        return Anchor("order", (charge.line.order_id,))

    def facts(self, charge: Charge) -> list[Fact]:
        document = charge.invoice_line.invoice if charge.invoice_line is not None else None
        return [
            Fact("Amount", fmt.money(charge.amount, charge.currency)),
            Fact("Order", charge.line.order),
            Fact("Document", document),
            Fact("Service", f"{charge.service_from} up to {charge.service_to}"),
        ]

    def panels(self, charge: Charge) -> list[Panel]:
        same = Charge.objects.filter(
            segment_id=charge.segment_id, kind=charge.kind, period_from=charge.period_from
        )
        columns = [
            "id",
            "revision",
            "service_from",
            "service_to",
            "quantity",
            Column("amount", money="currency", total=True),
        ]
        return [
            Panel(
                "All that was billed for this period",
                same.order_by("revision"),
                columns,
                note="The engine subtracts their sum from what it expects.",
            )
        ]
