"""Metered usage: events, the batches that brought them, what could not be matched, hourly totals.

Built for throughput: an event row holds small ids instead of texts, and its ids carry no foreign key checks:
each was resolved by a join in the statement that inserted it, from tables whose rows are not deleted.
"""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from o2c.money import QuantityField
from o2c.records import AppendOnly, Record
from o2c.states import StateField, StateMachine, transition
from orders.models import Customer, Meter, OrderLine


class UsageSource(Record):
    """A system that meters. Event ids are unique within it, for ever."""

    id = models.SmallAutoField(primary_key=True)
    code = models.CharField(max_length=60, unique=True)
    description = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ["code"]

    class Guards:
        immutable = ["code"]
        no_delete = True

    def __str__(self) -> str:
        return self.code


class UsageDimensions(models.Model):
    """One combination of event properties, stored once: {"model": "gpt-4o", "region": "eu"}."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(unique=True, help_text="Canonical JSON of the values")
    values = models.JSONField(default=dict)

    class Meta:
        verbose_name = "usage dimensions"
        verbose_name_plural = "usage dimensions"

    class Guards:
        append_only = True
        sealed = False  # counted and hashed by batch

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.values.items()) or "(none)"


class UsageBatch(AppendOnly):
    """What arrived in one transaction: a request, or a stretch of a file. Counted when it was stored.

    received = accepted + duplicate + parked, always. A retry of parked events is a batch of its own.
    """

    class Channel(models.TextChoices):
        API = "api", "API"
        FILE = "file", "File"
        RETRY = "retry", "Retry of parked events"

    source = models.ForeignKey(UsageSource, on_delete=models.PROTECT, related_name="batches", db_index=False)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    file_name = models.CharField(max_length=200, blank=True, default="")
    file_sha256 = models.CharField(max_length=64, blank=True, default="", db_index=True)
    part = models.PositiveIntegerField(default=1, help_text="1, 2, 3 within a file")
    request_id = models.CharField(max_length=64, blank=True, default="")
    received = models.PositiveIntegerField()
    accepted = models.PositiveIntegerField()
    duplicate = models.PositiveIntegerField(help_text="The same event was stored or parked before")
    parked = models.PositiveIntegerField(help_text="Waits in the exceptions queue")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "usage batches"
        constraints = [
            models.CheckConstraint(
                name="billing_usagebatch_nothing_lost",
                condition=Q(received=F("accepted") + F("duplicate") + F("parked")),
            )
        ]

    def __str__(self) -> str:
        return f"batch {self.pk}"


class UsageEvent(models.Model):
    """One metered event of one order line. Stored once per (source, event_id), never changed.

    Who brought it and when stands on its batch. A wrong event is retracted
    (`UsageRetraction`), or corrected by another one with the opposite quantity.
    """

    source = models.ForeignKey(
        UsageSource, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    event_id = models.CharField(max_length=200)
    line = models.ForeignKey(
        OrderLine, on_delete=models.PROTECT, related_name="usage_events", db_index=False, db_constraint=False
    )
    dimensions = models.ForeignKey(
        UsageDimensions, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    occurred_at = models.DateTimeField()
    quantity = QuantityField()
    subject = models.CharField(max_length=200, default="", help_text="Counted value of a unique count")
    batch = models.ForeignKey(
        UsageBatch, on_delete=models.PROTECT, related_name="events", db_index=False, db_constraint=False
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["source", "event_id"], name="billing_usageevent_once"),
        ]
        # A B-tree by line would cost a quarter of the intake. Events are looked for by hour and come in about
        # the order of time, so that a summary of each 256 kB finds them.
        indexes = [
            BrinIndex(
                fields=["occurred_at", "batch"],
                name="billing_usageevent_time",
                pages_per_range=32,
                autosummarize=True,
            )
        ]

    class Guards:
        append_only = True
        sealed = False  # counted and hashed by batch

    def __str__(self) -> str:
        return self.event_id


class UsageHour(models.Model):
    """Usage of one line in one hour, by dimensions: the sum of its events, kept in step by the intake.

    `hour` begins on the hour of the contract's time zone (so a zone of +05:30 has hours from :30 UTC) and
    a day of the contract is always whole hours. Derived: `manage.py usage verify` proves it.
    """

    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    meter = models.ForeignKey(
        Meter, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    line = models.ForeignKey(
        OrderLine, on_delete=models.PROTECT, related_name="usage_hours", db_index=False, db_constraint=False
    )
    dimensions = models.ForeignKey(
        UsageDimensions, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    hour = models.DateTimeField()
    quantity = QuantityField()
    event_count = models.BigIntegerField()

    class Meta:
        ordering = ["line_id", "hour"]
        constraints = [
            models.UniqueConstraint(fields=["line", "hour", "dimensions"], name="billing_usagehour_once"),
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:%M}"


class UsageException(StateMachine, Record):
    """An event that could not be stored as usage: visible, owned, aged, until somebody decides.

    `raw` is the event as it came. It is retried after its cause is gone, or rejected with a reason.
    """

    class Kind(models.TextChoices):
        MALFORMED = "malformed", "Cannot be read"
        UNKNOWN_CUSTOMER = "unknown_customer", "Unknown customer"
        UNKNOWN_METER = "unknown_meter", "Unknown meter"
        UNMATCHED = "unmatched", "No order line for it"
        AMBIGUOUS = "ambiguous", "Several order lines for it"
        FUTURE = "future", "In the future"
        LATE = "late", "Late, the contract asks for review"
        CONFLICT = "conflict", "Same id, other content"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACCEPTED = "accepted", "Accepted"
        REJECTED = "rejected", "Rejected"

    source = models.ForeignKey(
        UsageSource, on_delete=models.PROTECT, related_name="exceptions", db_index=False
    )
    batch = models.ForeignKey(UsageBatch, on_delete=models.PROTECT, related_name="exceptions")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    message = models.TextField()
    event_id = models.CharField(max_length=200, blank=True, default="")
    customer_number = models.CharField(max_length=60, blank=True, default="")
    meter_code = models.CharField(max_length=100, blank=True, default="")
    occurred_at = models.DateTimeField(null=True, blank=True)
    quantity = QuantityField(null=True, blank=True)
    raw = models.JSONField(help_text="The event as it came")
    digest = models.CharField(max_length=32, editable=False, help_text="md5 of the content")
    state = StateField(choices=State.choices, default=State.OPEN)
    decided_note = models.TextField(blank=True, default="", help_text="Why it was rejected")
    owner = models.ForeignKey(
        "access.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["kind"], name="billing_usageexception_open", condition=Q(state="open")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "event_id", "digest"], name="billing_usageexception_once"
            ),
            models.CheckConstraint(
                name="billing_usageexception_rejected_why",
                condition=~Q(state="rejected") | ~Q(decided_note=""),
            ),
        ]

    class Guards:
        immutable = ["source", "batch", "event_id", "raw", "digest"]
        frozen_when = {"field": "state", "values": ["accepted", "rejected"]}
        no_delete = True

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.event_id or 'no id'}"

    @transition(
        state,
        source=State.OPEN,
        target=State.ACCEPTED,
        duty="billing.usage.retry",
        service="billing.services.metering.retry_one",
        label="Retry",
    )
    def accept(self) -> None:
        """The event is stored as usage now."""

    @transition(
        state,
        source=State.OPEN,
        target=State.REJECTED,
        duty="billing.usage.reject",
        service="billing.services.metering.reject",
        label="Reject",
    )
    def reject(self) -> None:
        """The event is not usage; the reason is on record."""
