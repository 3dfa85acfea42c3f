"""Entitlements: what a customer may use because of a line, and the attempts to tell the product so."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from o2c.money import QuantityField
from o2c.records import AppendOnly, Record
from o2c.states import StateField, StateMachine, transition

PROVISION = "orders.entitlement.provision"
RETRY = "orders.entitlement.retry"


class Entitlement(StateMachine, Record):
    """A quantity of a SKU that a customer may use on [starts_on, ends_on), following one order line.

    Whenever the wanted grant changes, `revision` goes up and the row waits again; an answer from the
    provisioning service counts only for the revision that was sent. (`id`, `revision`) is the idempotency key
    of the call.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        PROVISIONING = "provisioning", "Provisioning"
        PROVISIONED = "provisioned", "Provisioned"
        FAILED = "failed", "Failed"
        REVOKED = "revoked", "Revoked"

    class Action(models.TextChoices):
        GRANT = "grant", "Grant"
        REVOKE = "revoke", "Revoke"

    line = models.ForeignKey("orders.OrderLine", on_delete=models.PROTECT, related_name="entitlements")
    customer = models.ForeignKey("orders.Customer", on_delete=models.PROTECT, related_name="entitlements")
    sku = models.ForeignKey("orders.Sku", on_delete=models.PROTECT, related_name="entitlements")
    quantity = QuantityField()
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True, help_text="exclusive; empty: open-ended")
    state = StateField(choices=State.choices, default=State.PENDING)
    action = models.CharField(max_length=10, choices=Action.choices, default=Action.GRANT)
    revision = models.PositiveIntegerField(default=1)
    external_ref = models.CharField(
        max_length=100, blank=True, default="", help_text="id in the provisioning service"
    )
    attempts = models.PositiveIntegerField(default=0, help_text="calls made for this revision")
    next_attempt_at = models.DateTimeField(null=True, blank=True, help_text="empty: at once")
    claimed_until = models.DateTimeField(
        null=True, blank=True, help_text="lease of the worker that is calling"
    )
    last_error = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        ordering = ["line_id", "starts_on"]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                name="orders_entitlement_due",
                condition=Q(state__in=["pending", "provisioning"]),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["line", "starts_on"], name="orders_entitlement_line_start"),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gt=F("starts_on")),
                name="orders_entitlement_dates",
            ),
            models.CheckConstraint(
                condition=~Q(state="provisioned") | ~Q(external_ref=""),
                name="orders_entitlement_provisioned_ref",
                violation_error_message="A provisioned entitlement has the id that the service gave it.",
            ),
        ]

    class Guards:
        immutable = ["line", "customer", "sku", "starts_on"]
        no_delete = True

    def __str__(self) -> str:
        return f"entitlement {self.pk}"

    @transition(
        state,
        source=[State.PENDING, State.PROVISIONING],
        target=State.PROVISIONING,
        duty=PROVISION,
        service="",
        label="Claim",
    )
    def claim(self) -> None:
        """A worker takes the lease and is about to call."""

    @transition(
        state,
        source=State.PROVISIONING,
        target=State.PROVISIONED,
        duty=PROVISION,
        service="",
        label="Granted",
    )
    def granted(self) -> None:
        """The service has confirmed the grant."""

    @transition(
        state,
        source=[State.PENDING, State.PROVISIONING, State.FAILED],
        target=State.REVOKED,
        duty=PROVISION,
        service="",
        label="Revoked",
    )
    def revoked(self) -> None:
        """The service has confirmed the revocation, or was never told of the grant."""

    @transition(
        state, source=State.PROVISIONING, target=State.PENDING, duty=PROVISION, service="", label="Try later"
    )
    def postpone(self) -> None:
        """A passing failure: try again at `next_attempt_at`."""

    @transition(
        state, source=State.PROVISIONING, target=State.FAILED, duty=PROVISION, service="", label="Give up"
    )
    def give_up(self) -> None:
        """Refused, or out of attempts: a person must look."""

    @transition(
        state,
        source=[State.PROVISIONED, State.FAILED, State.REVOKED, State.PROVISIONING],
        target=State.PENDING,
        duty=PROVISION,
        service="",
        label="Changed",
    )
    def changed(self) -> None:
        """The line asks for something else than before: tell the service anew."""

    @transition(
        state,
        source=State.FAILED,
        target=State.PENDING,
        duty=RETRY,
        service="orders.services.entitlements.retry",
        label="Try again",
    )
    def retry(self) -> None:
        """A person has dealt with the cause of the failure."""


class ProvisioningAttempt(AppendOnly):
    """One call to the provisioning service and what came back. Never changed."""

    class Outcome(models.TextChoices):
        OK = "ok", "Confirmed"
        TRANSIENT = "transient", "Passing failure"
        PERMANENT = "permanent", "Refused"

    entitlement = models.ForeignKey(Entitlement, on_delete=models.PROTECT, related_name="attempt_log")
    revision = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    action = models.CharField(max_length=10, choices=Entitlement.Action.choices)
    idempotency_key = models.CharField(max_length=100)
    request = models.JSONField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True, help_text="empty: no answer came")
    response = models.JSONField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True, default="")
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()

    class Meta:
        ordering = ["entitlement_id", "id"]

    def __str__(self) -> str:
        return f"{self.idempotency_key} #{self.attempt}: {self.outcome}"
