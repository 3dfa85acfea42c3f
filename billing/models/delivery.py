"""How a document reached the customer: one row per recipient and purpose, and each attempt."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from billing.models.invoice import Invoice
from o2c.records import AppendOnly, Record
from o2c.states import StateField, StateMachine, transition


class InvoiceDelivery(StateMachine, Record):
    """One document to be sent once to one address. A resend is a new row with a new `occasion`.

    The claim `sending` is committed before the mail server is called. A worker that dies in
    between leaves it there: nobody can know whether the message left, so it becomes `unconfirmed`
    and a person decides. That is how a customer never gets the same invoice twice.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        UNCONFIRMED = "unconfirmed", "Not known whether it left"
        BOUNCED = "bounced", "Bounced"
        ABANDONED = "abandoned", "Given up"

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="deliveries")
    address = models.EmailField()
    occasion = models.CharField(max_length=40, default="issue", help_text="issue, or resend-2, …")
    state = StateField(choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    message_id = models.CharField(max_length=200, blank=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "invoice deliveries"
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="billing_delivery_due",
                condition=Q(state__in=["queued", "failed", "sending"]),
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "address", "occasion"], name="billing_delivery_once_per_occasion"
            ),
            models.CheckConstraint(
                name="billing_delivery_sent_when",
                condition=~Q(state="sent") | Q(sent_at__isnull=False),
            ),
        ]

    class Guards:
        no_delete = True
        immutable = ["invoice", "address", "occasion"]

    def __str__(self) -> str:
        return f"{self.invoice} to {self.address}"

    @transition(
        state,
        source=[State.QUEUED, State.FAILED],
        target=State.SENDING,
        duty="billing.delivery.send",
    )
    def claim(self) -> None:
        """One worker takes the message; committed before the mail server is called."""

    @transition(
        state, source=[State.SENDING, State.UNCONFIRMED], target=State.SENT, duty="billing.delivery.record"
    )
    def confirm(self) -> None:
        """The mail server accepted the message."""

    @transition(state, source=State.SENDING, target=State.FAILED, duty="billing.delivery.record_failure")
    def fail(self) -> None:
        """The mail server refused; it is tried again later."""

    @transition(state, source=State.SENDING, target=State.UNCONFIRMED, duty="billing.delivery.sweep")
    def lose_sight(self) -> None:
        """The worker died while sending."""

    @transition(state, source=State.SENT, target=State.BOUNCED, duty="billing.delivery.record_bounce")
    def bounce(self) -> None:
        """The receiving side sent the message back."""

    @transition(
        state,
        source=[State.FAILED, State.UNCONFIRMED, State.BOUNCED],
        target=State.QUEUED,
        duty="billing.delivery.retry",
        service="billing.services.delivery.retry",
        label="Send again",
    )
    def retry(self) -> None:
        """A person has looked and wants it sent again."""

    @transition(
        state,
        source=[State.QUEUED, State.FAILED, State.UNCONFIRMED, State.BOUNCED],
        target=State.ABANDONED,
        duty="billing.delivery.abandon",
        service="billing.services.delivery.abandon",
        label="Give up",
    )
    def abandon(self) -> None:
        """It reached the customer another way, or need not."""


class DeliveryAttempt(AppendOnly):
    """What happened when a delivery was tried."""

    class Outcome(models.TextChoices):
        SENT = "sent", "Accepted by the mail server"
        FAILED = "failed", "Refused"
        UNCONFIRMED = "unconfirmed", "Worker died"
        BOUNCED = "bounced", "Bounced"

    delivery = models.ForeignKey(InvoiceDelivery, on_delete=models.PROTECT, related_name="log")
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    detail = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.delivery}: {self.get_outcome_display().lower()}"
