"""Domain events and their deliveries: what was said, who heard it, what is stuck."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from o2c.console import Act, Column, Fact, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.keys import key_link
from o2c.outbox.models import Delivery, DomainEvent

AREA = "System"


@admin.register(DomainEvent)
class DomainEventAdmin(RecordAdmin):
    """What happened, as the apps told each other."""

    area, icon, nav_position, nav_title = AREA, "bolt", 20, "Events"
    list_display = ["id", "recorded_at", "type", "about", "deliveries_text"]
    list_filter = ["type", "recorded_at"]
    search_fields = ["aggregate", "type"]
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("deliveries")

    @admin.display(description="About", ordering="aggregate")
    def about(self, event: DomainEvent) -> SafeString:
        return key_link(event.aggregate)

    @admin.display(description="Deliveries")
    def deliveries_text(self, event: DomainEvent) -> str:
        states = [d.state for d in event.deliveries.all()]
        if not states:
            return "nobody listens"
        open_ = sum(state != Delivery.State.DONE for state in states)
        return f"{open_} of {len(states)} open" if open_ else f"{len(states)} done"

    def facts(self, event: DomainEvent) -> list[Fact]:
        return [Fact("About", key_link(event.aggregate)), Fact("At", event.recorded_at)]

    def panels(self, event: DomainEvent) -> list[Panel]:
        columns = ["consumer", "state", "attempts", "done_at", Column(_last_line, "Error")]
        return [
            Panel(
                "Deliveries",
                event.deliveries.order_by("consumer"),
                columns,
                empty="No consumer listens to it.",
            )
        ]


def _last_line(delivery: Delivery) -> str:
    text = delivery.error.strip()
    return text.splitlines()[-1] if text else ""


@admin.register(Delivery)
class DeliveryAdmin(RecordAdmin):
    """Events on their way to their consumers."""

    area, icon, nav_position = AREA, "move_to_inbox", 30
    list_display = [
        "id",
        "consumer",
        "event_type",
        "about",
        "state_badge",
        "attempts",
        "due_at",
        "error_text",
    ]
    list_select_related = ["event"]
    list_filter = ["state", "consumer"]
    search_fields = ["aggregate", "error"]
    ordering = ["-id"]
    empty_text = "Deliveries appear when an app publishes an event that another listens to."
    acts = [
        Act(
            "retry",
            "Retry now",
            "o2c.outbox.services.retry",
            duty="outbox.delivery.retry",
            bulk=True,
            icon="replay",
            unavailable=lambda d, _: ["It has been delivered."] if d.state == Delivery.State.DONE else [],
            description="Due at once; the relay takes it with its next round, in the order of its record.",
        )
    ]

    @admin.display(description="Event", ordering="event__type")
    def event_type(self, delivery: Delivery) -> str:
        return delivery.event.type

    @admin.display(description="About", ordering="aggregate")
    def about(self, delivery: Delivery) -> SafeString:
        return key_link(delivery.aggregate)

    @admin.display(description="State", ordering="state")
    def state_badge(self, delivery: Delivery) -> SafeString:
        return fmt.badge(delivery.state, delivery.get_state_display())

    @admin.display(description="Error")
    def error_text(self, delivery: Delivery) -> str:
        return _last_line(delivery)[:80]

    def facts(self, delivery: Delivery) -> list[Fact]:
        return [
            Fact("State", self.state_badge(delivery)),
            Fact("Event", delivery.event),
            Fact("Consumer", delivery.consumer),
            Fact("About", key_link(delivery.aggregate)),
        ]

    def panels(self, delivery: Delivery) -> list[Panel]:
        """What waits behind it: deliveries of one record keep their order."""
        behind = Delivery.objects.filter(
            consumer=delivery.consumer, aggregate=delivery.aggregate, pk__gt=delivery.pk
        ).exclude(state=Delivery.State.DONE)
        return [
            Panel("Held back behind it", behind.select_related("event").order_by("pk"),
                  ["event", "state", "due_at"], empty="Nothing waits behind it.")
        ]  # fmt: skip
