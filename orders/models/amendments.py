"""Amendments: every change to an order after it became active."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from o2c.money import AmountField
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition


class Amendment(StateMachine, Record):
    """A change to an order from `effective_on` on.

    `changes` is what was asked for (its shape per kind is in orders/domain/changes.py). `effect` is the
    computed preview: segments before and after per line, and the contract value of both. Applying computes
    the effect again and stops if it differs from what was previewed.
    """

    class Kind(models.TextChoices):
        QUANTITY = "quantity", "Quantity"
        PRICE = "price", "Price"
        ADD_LINE = "add_line", "Add line"
        CANCEL = "cancel", "Cancel"
        RENEW = "renew", "Renew"
        PLAN = "plan", "Change plan"
        PAUSE = "pause", "Pause"
        RESUME = "resume", "Resume"
        TRANSFER = "transfer", "Transfer"
        UNDO = "undo", "Undo"

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        APPLIED = "applied", "Applied"
        REJECTED = "rejected", "Rejected"

    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, related_name="amendments")
    number = models.PositiveIntegerField(help_text="1, 2, 3 … within the order")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    effective_on = models.DateField()
    changes = models.JSONField(default=dict)
    reason = models.TextField(blank=True, default="")
    state = StateField(choices=State.choices, default=State.DRAFT)
    effect = models.JSONField(default=dict, blank=True)
    effect_digest = models.CharField(max_length=64, blank=True, default="", help_text="sha256 of the effect")
    value_before = AmountField(null=True, blank=True)
    value_after = AmountField(null=True, blank=True)
    drafted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    applied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    applied_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["order_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["order", "number"], name="orders_amendment_number"),
            models.CheckConstraint(
                condition=~Q(state="applied") | Q(applied_by__isnull=False, applied_on__isnull=False),
                name="orders_amendment_applied_by_someone",
                violation_error_message="An applied amendment names who applied it, and when.",
            ),
        ]

    class Guards:
        signatures = ["drafted_by", "applied_by"]
        immutable = ["order", "number", "kind", "drafted_by"]
        frozen_when = {"field": "state", "values": ["applied", "rejected"], "except_": []}
        no_delete = True

    def __str__(self) -> str:
        return f"{self.order.number}-A{self.number}"

    @transition(
        state,
        source=State.DRAFT,
        target=State.APPLIED,
        duty="orders.amendment.apply",
        service="orders.services.amendments.apply",
        label="Apply",
    )
    def apply(self) -> None:
        """Close and open the segments as previewed."""

    @transition(
        state,
        source=State.DRAFT,
        target=State.REJECTED,
        duty="orders.amendment.apply",
        service="orders.services.amendments.reject",
        label="Reject",
    )
    def reject(self) -> None:
        """Do not change the order."""
