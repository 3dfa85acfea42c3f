"""Quotes: what we offered, in versions, and who said yes to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from o2c.money import CurrencyField, QuantityField
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition
from orders.models.schedules import LINE_FREQUENCIES, schedule_check
from orders.models.terms import BillingTerms, clause_checks


class Quote(StateMachine, BillingTerms, Record):
    """One version of an offer to a customer.

    Approval needs a person who neither submitted nor last edited it; the database refuses the rest
    (`orders_quote_maker_is_not_checker`). A rejected or expired quote is revised into the next version.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SUBMITTED = "submitted", "Submitted"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        ACCEPTED = "accepted", "Accepted"
        EXPIRED = "expired", "Expired"

    number = models.CharField(max_length=20, help_text='"Q-000001", the same for all versions')
    version = models.PositiveIntegerField(default=1)
    supersedes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    customer = models.ForeignKey("orders.Customer", on_delete=models.PROTECT, related_name="quotes")
    currency = CurrencyField()
    title = models.CharField(max_length=200, blank=True, default="")
    valid_until = models.DateField(help_text="last day on which the customer may accept")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True, help_text="exclusive; empty: open-ended")
    state = StateField(choices=State.choices, default=State.DRAFT)

    last_edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    submitted_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    decision_note = models.TextField(blank=True, default="", help_text="why it was approved or rejected")
    accepted_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["-number", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["number", "version"],
                name="orders_quote_version",
                violation_error_message="This version of the quote exists already.",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gt=F("starts_on")),
                name="orders_quote_dates",
                violation_error_message="A quote ends after it begins.",
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True)
                | (~Q(approved_by=F("submitted_by")) & ~Q(approved_by=F("last_edited_by"))),
                name="orders_quote_maker_is_not_checker",
                violation_error_message="Who submitted or edited a quote does not approve it.",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["submitted", "approved", "accepted"]) | Q(submitted_by__isnull=False),
                name="orders_quote_submitted_by_someone",
                violation_error_message="A submitted quote names who submitted it.",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "accepted"])
                | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="orders_quote_approved_by_someone",
                violation_error_message="An approved quote names who approved it, and when.",
            ),
            models.CheckConstraint(
                condition=~Q(state="accepted") | Q(accepted_on__isnull=False),
                name="orders_quote_accepted_when",
            ),
            *clause_checks("quote"),
        ]

    class Guards:
        signatures = ["last_edited_by", "submitted_by", "approved_by"]
        immutable = ["number", "version", "supersedes", "customer"]
        frozen_when = {
            "field": "state",
            "values": ["submitted", "approved", "rejected", "accepted", "expired"],
            "except_": [
                "state",
                "submitted_by",
                "submitted_at",
                "approved_by",
                "approved_at",
                "decision_note",
                "accepted_on",
            ],
        }
        no_delete = True

    def __str__(self) -> str:
        return f"{self.number} v{self.version}"

    @transition(
        state,
        source=State.DRAFT,
        target=State.SUBMITTED,
        duty="orders.quote.submit",
        service="orders.services.quotes.submit",
        label="Submit for approval",
    )
    def submit(self) -> None:
        """Ask for approval; the lines are closed from now on."""

    @transition(
        state,
        source=State.SUBMITTED,
        target=State.DRAFT,
        duty="orders.quote.submit",
        service="orders.services.quotes.recall",
        label="Recall",
    )
    def recall(self) -> None:
        """Take the request back in order to change something."""

    @transition(
        state,
        source=State.SUBMITTED,
        target=State.APPROVED,
        duty="orders.quote.approve",
        service="orders.services.quotes.approve",
        label="Approve",
    )
    def approve(self) -> None:
        """Allow the offer to go out; by someone who neither submitted nor last edited it."""

    @transition(
        state,
        source=State.SUBMITTED,
        target=State.REJECTED,
        duty="orders.quote.approve",
        service="orders.services.quotes.reject",
        label="Reject",
    )
    def reject(self) -> None:
        """Refuse the offer, with a reason; it can be revised into a new version."""

    @transition(
        state,
        source=State.APPROVED,
        target=State.ACCEPTED,
        duty="orders.quote.accept",
        service="orders.services.quotes.accept",
        label="Accept",
    )
    def accept(self) -> None:
        """Record that the customer said yes, and make the draft order from it."""

    @transition(
        state,
        source=[State.DRAFT, State.SUBMITTED, State.APPROVED],
        target=State.EXPIRED,
        duty="orders.quote.expire",
        service="orders.services.quotes.expire",
        label="Expire",
    )
    def expire(self) -> None:
        """The offer is no longer valid; it can be revised into a new version."""


class QuoteLine(Record):
    """One SKU on offer: a list price version, or an override of it with the reason for it."""

    quote = models.ForeignKey(Quote, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    sku = models.ForeignKey("orders.Sku", on_delete=models.PROTECT, related_name="quote_lines")
    description = models.CharField(max_length=300, blank=True, default="")
    quantity = QuantityField(default=1)
    price = models.ForeignKey("orders.Price", on_delete=models.PROTECT, related_name="quote_lines")
    override_spec = models.JSONField(null=True, blank=True)
    discount_percent = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    override_reason = models.CharField(max_length=300, blank=True, default="")
    timing = models.CharField(
        max_length=10, choices=BillingTerms.Timing.choices, default=BillingTerms.Timing.ADVANCE
    )
    frequency = models.CharField(max_length=10, choices=LINE_FREQUENCIES, blank=True, default="")
    schedule = models.JSONField(
        default=list, blank=True, help_text="instalments of a line that is billed by schedule"
    )
    starts_on = models.DateField(null=True, blank=True, help_text="empty: with the quote")
    ends_on = models.DateField(null=True, blank=True, help_text="exclusive; empty: with the quote")

    class Meta:
        ordering = ["quote_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["quote", "position"], name="orders_quoteline_position"),
            models.CheckConstraint(
                condition=Q(quantity__gte=0),
                name="orders_quoteline_quantity",
                violation_error_message="A quantity is not negative.",
            ),
            models.CheckConstraint(
                condition=Q(discount_percent__gte=0, discount_percent__lte=100),
                name="orders_quoteline_discount",
                violation_error_message="A discount is between 0 and 100 %.",
            ),
            models.CheckConstraint(
                condition=Q(override_spec__isnull=True, discount_percent=0) | ~Q(override_reason=""),
                name="orders_quoteline_override_has_reason",
                violation_error_message="A price override or a discount has a reason.",
            ),
            schedule_check("quoteline"),
        ]

    class Guards:
        child_of = ("quote", "state", ["draft"])
        immutable = ["quote"]

    def __str__(self) -> str:
        return f"line {self.position}"
