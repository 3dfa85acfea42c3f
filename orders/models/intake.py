"""Deals that arrived from the CRM: kept word for word, accepted into an order or parked with the reasons."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from o2c.records import Record
from o2c.states import StateField, StateMachine, transition


class DealIntake(StateMachine, Record):
    """One version of a deal as the CRM sent it. received = accepted + parked + dismissed."""

    class State(models.TextChoices):
        RECEIVED = "received", "Received"
        ACCEPTED = "accepted", "Accepted"
        PARKED = "parked", "Parked"
        DISMISSED = "dismissed", "Dismissed"

    source = models.CharField(max_length=20, default="salesforce")
    external_id = models.CharField(max_length=40, help_text="18-character Id of the opportunity")
    payload = models.JSONField()
    payload_hash = models.CharField(max_length=64, help_text="sha256 of the canonical payload")
    mapper = models.CharField(max_length=40, help_text="name and version of the mapping that was used")
    errors = models.JSONField(default=list, blank=True, help_text='[{"field", "message", "code"}]')
    order = models.ForeignKey(
        "orders.Order", on_delete=models.PROTECT, null=True, blank=True, related_name="intakes"
    )
    state = StateField(choices=State.choices, default=State.RECEIVED)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id", "payload_hash"], name="orders_dealintake_once"
            ),
            models.CheckConstraint(
                condition=~Q(state="accepted") | Q(order__isnull=False),
                name="orders_dealintake_accepted_order",
            ),
        ]

    class Guards:
        immutable = ["source", "external_id", "payload", "payload_hash"]
        no_delete = True

    def __str__(self) -> str:
        return f"{self.source} {self.external_id}"

    @transition(
        state,
        source=[State.RECEIVED, State.PARKED],
        target=State.ACCEPTED,
        duty="orders.intake.process",
        service="orders.services.intake.process",
        label="Process again",
    )
    def accept(self) -> None:
        """The deal became a draft order."""

    @transition(
        state,
        source=State.RECEIVED,
        target=State.PARKED,
        duty="orders.intake.process",
        service="",
        label="Park",
    )
    def park(self) -> None:
        """The deal can't become an order yet; the errors say why."""

    @transition(
        state,
        source=State.PARKED,
        target=State.DISMISSED,
        duty="orders.intake.dismiss",
        service="orders.services.intake.dismiss",
        label="Dismiss",
    )
    def dismiss(self) -> None:
        """A person decided, with a reason, that nothing will come of it."""
