"""Accounting periods: open, closing, closed."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from o2c.ledger.models.entity import LegalEntity
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition


class AccountingPeriod(StateMachine, Record):
    """A month of one entity's books. Nothing posts to a closed one; a trigger refuses it."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLOSING = "closing", "Closing"
        CLOSED = "closed", "Closed"

    entity = models.ForeignKey(LegalEntity, models.PROTECT, related_name="periods")
    name = models.CharField(max_length=7, help_text="2026-08")
    starts_on = models.DateField()
    ends_on = models.DateField(help_text="The first day that is no longer in the period")
    state = StateField(choices=State.choices, default=State.OPEN)

    class Meta:
        ordering = ("-starts_on", "entity")
        constraints = [
            models.UniqueConstraint(fields=["entity", "name"], name="one_period_a_month"),
            models.UniqueConstraint(fields=["entity", "starts_on"], name="one_period_a_start"),
            models.CheckConstraint(condition=Q(ends_on__gt=F("starts_on")), name="period_has_days"),
        ]

    class Guards:
        immutable = ["entity", "name", "starts_on", "ends_on"]
        no_delete = True

    def __str__(self) -> str:
        return f"{self.entity.code} {self.name}"

    @transition(
        state, source=State.OPEN, target=State.CLOSING, duty="ledger.period.close", label="Start close"
    )
    def start_close(self) -> None:
        """Soft close: the revenue close owns the period; sub-ledgers still post."""

    @transition(state, source=State.CLOSING, target=State.CLOSED, duty="ledger.period.close", label="Lock")
    def lock(self) -> None:
        """Hard close: nothing posts any more."""

    @transition(
        state,
        source=[State.CLOSING, State.CLOSED],
        target=State.OPEN,
        duty="ledger.period.reopen",
        label="Reopen",
    )
    def reopen(self) -> None:
        """Open the period again, under its own control."""
