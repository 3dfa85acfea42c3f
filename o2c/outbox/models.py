"""Events as they were published, and their deliveries to each consumer."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from o2c.records import AppendOnly


class DomainEvent(AppendOnly):
    """Something that happened, written in the transaction that made it happen."""

    type = models.CharField(max_length=80)
    aggregate = models.CharField(max_length=80, help_text="app.model:id")
    payload = models.JSONField(default=dict)
    request_id = models.TextField(
        db_default=RawSQL("(coalesce(current_setting('o2c.request_id', true), ''))", ()), editable=False
    )

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=["aggregate"], name="event_by_aggregate")]

    def __str__(self) -> str:
        return f"{self.type} {self.aggregate}"


class Delivery(models.Model):
    """One event on its way to one consumer: its outbox entry and, once done, its inbox entry.

    Success keeps the row as proof; anything pending or stuck is work. Deliveries of one aggregate to
    one consumer keep their order: a stuck one holds back those behind it.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DONE = "done", "Done"
        STUCK = "stuck", "Stuck"

    event = models.ForeignKey(DomainEvent, models.PROTECT, related_name="deliveries")
    consumer = models.CharField(max_length=60)
    aggregate = models.CharField(max_length=80)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, default="")

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["event", "consumer"], name="delivered_once"),
        ]
        indexes = [
            models.Index(fields=["consumer", "id"], condition=~Q(state="done"), name="delivery_open"),
            models.Index(
                fields=["consumer", "aggregate", "id"],
                condition=~Q(state="done"),
                name="delivery_open_aggregate",
            ),
        ]

    class Guards:
        no_delete = True
        immutable = ["event", "consumer", "aggregate"]

    def __str__(self) -> str:
        return f"{self.event_id} → {self.consumer}"
