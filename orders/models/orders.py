"""Orders: what was signed, its lines, and the segments that say what each line is on each day."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Q

from o2c.money import AmountField, CurrencyField, QuantityField
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition
from orders.models import ranges
from orders.models.schedules import LINE_FREQUENCIES, schedule_check
from orders.models.terms import BillingTerms, clause_checks


class Order(StateMachine, BillingTerms, Record):
    """A contract with a customer. Active means billable; what changes after that is an amendment.

    An order that ended, by term or by cancellation, stays the reason for its charges: whoever computes
    charges reads every order that was ever activated (`activated_on` is set), not only the active ones.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SIGNED = "signed", "Signed"
        ACTIVE = "active", "Active"
        COMPLETED = "completed", "Completed"
        CANCELLED = "cancelled", "Cancelled"

    number = models.CharField(max_length=20, unique=True, help_text='"O-000001"')
    customer = models.ForeignKey("orders.Customer", on_delete=models.PROTECT, related_name="orders")
    currency = CurrencyField()
    quote = models.OneToOneField(
        "orders.Quote", on_delete=models.PROTECT, null=True, blank=True, related_name="order"
    )
    opened_by = models.OneToOneField(
        "orders.Amendment",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="successor",
        help_text="the amendment that transferred an order of another customer",
    )
    title = models.CharField(max_length=200, blank=True, default="")
    state = StateField(choices=State.choices, default=State.DRAFT)
    signed_on = models.DateField(null=True, blank=True)
    activated_on = models.DateField(null=True, blank=True, help_text="as-of date of the activation")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True, help_text="exclusive; empty: open-ended")
    cancelled_on = models.DateField(null=True, blank=True, help_text="first day that is no longer served")
    signed_total = AmountField(
        null=True, blank=True, help_text="committed value the customer signed for; compared before activation"
    )
    consolidation_key = models.CharField(max_length=60, blank=True, default="")
    salesforce_opportunity_id = models.CharField(max_length=18, unique=True, null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        indexes = [models.Index(fields=["state", "ends_on"], name="orders_order_state_ends")]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True)
                | Q(ends_on__gt=F("starts_on"))
                | Q(cancelled_on=F("starts_on")),
                name="orders_order_dates",
                violation_error_message="An order ends after it begins.",
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="orders_order_currency"),
            models.CheckConstraint(
                condition=~Q(state__in=["signed", "active", "completed"]) | Q(signed_on__isnull=False),
                name="orders_order_signed_when",
                violation_error_message="A signed order says when it was signed.",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["active", "completed"]) | Q(activated_on__isnull=False),
                name="orders_order_activated_when",
                violation_error_message="An active order says when it was activated.",
            ),
            models.CheckConstraint(
                condition=~Q(state="cancelled") | Q(cancelled_on__isnull=False),
                name="orders_order_cancelled_when",
                violation_error_message="A cancelled order says from when on.",
            ),
            *clause_checks("order"),
        ]

    class Guards:
        immutable = ["number", "customer", "entity", "currency", "quote", "opened_by"]
        frozen_when = {
            "field": "state",
            "values": ["active", "completed", "cancelled"],
            "except_": [
                "state",
                "ends_on",
                "cancelled_on",
                "po_number",
                "title",
                "consolidation_key",
                "auto_renew",
                "renewal_term_months",
                "renewal_uplift_percent",
            ],
        }
        no_delete = True

    def __str__(self) -> str:
        return self.number

    @transition(
        state,
        source=State.DRAFT,
        target=State.SIGNED,
        duty="orders.order.sign",
        service="orders.services.orders.sign",
        label="Mark as signed",
    )
    def sign(self) -> None:
        """The customer's signature is on file; lines and prices are closed."""

    @transition(
        state,
        source=State.SIGNED,
        target=State.DRAFT,
        duty="orders.order.reopen",
        service="orders.services.orders.reopen",
        label="Back to draft",
    )
    def reopen(self) -> None:
        """Something must be corrected before it may become billable."""

    @transition(
        state,
        source=State.SIGNED,
        target=State.ACTIVE,
        duty="orders.order.activate",
        service="orders.services.orders.activate",
        label="Activate",
    )
    def activate(self) -> None:
        """Make the order billable: every gate is passed, entitlements follow."""

    @transition(
        state,
        source=[State.DRAFT, State.SIGNED, State.ACTIVE],
        target=State.CANCELLED,
        duty="orders.order.cancel",
        service="orders.services.orders.cancel",
        label="Cancel",
    )
    def cancel(self) -> None:
        """End the order early; an active one through a cancel amendment."""

    @transition(
        state,
        source=State.ACTIVE,
        target=State.COMPLETED,
        duty="orders.order.complete",
        service="orders.services.orders.complete",
        label="Complete",
    )
    def complete(self) -> None:
        """The term is over and was not renewed."""


class OrderLine(Record):
    """One SKU of an order. What it is on a given day (quantity, price) stands in its segments."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    sku = models.ForeignKey("orders.Sku", on_delete=models.PROTECT, related_name="order_lines")
    description = models.CharField(max_length=300, blank=True, default="")
    timing = models.CharField(
        max_length=10, choices=BillingTerms.Timing.choices, default=BillingTerms.Timing.ADVANCE
    )
    frequency = models.CharField(
        max_length=10,
        choices=LINE_FREQUENCIES,
        blank=True,
        default="",
        help_text="empty: as the order",
    )
    schedule = models.JSONField(
        default=list, blank=True, help_text="instalments of a line that is billed by schedule"
    )
    usage_key = models.CharField(
        max_length=100, blank=True, default="", help_text="events that carry this key belong to this line"
    )
    source_line_id = models.CharField(max_length=40, blank=True, default="", help_text="line id in the CRM")
    added_by = models.ForeignKey(
        "orders.Amendment", on_delete=models.PROTECT, null=True, blank=True, related_name="added_lines"
    )

    class Meta:
        ordering = ["order_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="orders_orderline_position"),
            schedule_check("orderline"),
        ]

    class Guards:
        child_of = ("order", "state", ["draft", "active"])
        immutable = ["order", "sku", "added_by", "schedule"]

    def __str__(self) -> str:
        return f"line {self.position}"


class SegmentQuerySet(models.QuerySet["Segment"]):
    def in_force(self) -> SegmentQuerySet:
        """Segments that say something: without those that an amendment emptied (`ends_on = starts_on`)."""
        return self.filter(Q(ends_on__isnull=True) | Q(ends_on__gt=F("starts_on")))

    def on(self, day: object) -> SegmentQuerySet:
        """Segments in force on one day."""
        return self.filter(Q(ends_on__isnull=True) | Q(ends_on__gt=day), starts_on__lte=day)


class Segment(Record):
    """[starts_on, ends_on) x quantity x price of one line.

    Never edited: an amendment closes it (sets `ends_on` and `closed_by`) and opens another. A segment that an
    amendment takes back altogether is closed at its own start and so covers no day.
    """

    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="segments")
    sequence = models.PositiveIntegerField()
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True, help_text="exclusive; empty: open-ended")
    quantity = QuantityField()
    price = models.ForeignKey("orders.Price", on_delete=models.PROTECT, related_name="segments")
    price_override = models.JSONField(
        null=True, blank=True, help_text="negotiated spec in place of the price's"
    )
    discount_percent = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    paused = models.BooleanField(default=False, help_text="neither served nor charged, until resumed")
    opened_by = models.ForeignKey(
        "orders.Amendment", on_delete=models.PROTECT, null=True, blank=True, related_name="opened_segments"
    )
    closed_by = models.ForeignKey(
        "orders.Amendment", on_delete=models.PROTECT, null=True, blank=True, related_name="closed_segments"
    )

    objects = SegmentQuerySet.as_manager()

    class Meta:
        ordering = ["line_id", "starts_on", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["line", "sequence"], name="orders_segment_sequence"),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True)
                | Q(ends_on__gt=F("starts_on"))
                | Q(ends_on=F("starts_on"), closed_by__isnull=False),
                name="orders_segment_dates",
                violation_error_message="A segment ends after it begins.",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=0),
                name="orders_segment_quantity",
                violation_error_message="A quantity is not negative.",
            ),
            models.CheckConstraint(
                condition=Q(discount_percent__gte=0, discount_percent__lte=100),
                name="orders_segment_discount",
                violation_error_message="A discount is between 0 and 100 %.",
            ),
            ExclusionConstraint(
                name="orders_segment_no_overlap",
                violation_error_message="Segments of one line never share a day.",
                expressions=[ranges.same("line"), ranges.dates("starts_on", "ends_on")],
            ),
        ]

    class Guards:
        immutable = [
            "line",
            "sequence",
            "starts_on",
            "quantity",
            "price",
            "price_override",
            "discount_percent",
            "paused",
            "opened_by",
        ]

    def __str__(self) -> str:
        paused = ", paused" if self.paused else ""
        return f"[{self.starts_on}, {self.ends_on or '…'}) x {self.quantity.normalize():f}{paused}"
