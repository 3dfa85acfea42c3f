"""Credit that pays for usage: grants, and everything that happened to their balance."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from billing.models.charge import Charge
from o2c.access.models import User
from o2c.ledger.models import LegalEntity
from o2c.money import AmountField, CurrencyField
from o2c.records import AppendOnly, Record
from orders.models import Customer, Order, OrderLine, Segment


class GrantQuerySet(models.QuerySet["Grant"]):
    def open(self) -> GrantQuerySet:
        """Grants with something left."""
        return self.filter(remaining__gt=0)


class Grant(Record):
    """Credit of one customer with one of our companies, in one currency; 1.00 pays 1.00 of usage.

    `granted` was bought for `paid` (promotional: 0). With an `order` it pays only for that order's usage,
    else for every order of the customer in the entity and currency; `scope` narrows it further (shape:
    orders/domain/clauses.py). `remaining` is kept by the database from the entries, and is never below zero
    (billing/grant_triggers.py). What is consumed first: billing/domain/grants.py.
    """

    class Origin(models.TextChoices):
        PREPAID = "prepaid", "Prepaid commitment"
        PROMOTIONAL = "promotional", "Promotional"
        ROLLOVER = "rollover", "Carried over"

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="grants")
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+", db_index=False)
    currency = CurrencyField()
    order = models.ForeignKey(Order, null=True, blank=True, on_delete=models.PROTECT, related_name="grants")
    line = models.ForeignKey(
        OrderLine,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="grants",
        help_text="The prepaid line that it was sold with",
    )
    segment = models.ForeignKey(
        Segment, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="carried_over"
    )
    instalment = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Which of the line's instalments bought it; empty: all of it",
    )
    origin = models.CharField(max_length=12, choices=Origin.choices)
    granted = AmountField(help_text="Credit in the currency")
    paid = AmountField(default=0, help_text="What it was sold for, net")
    remaining = AmountField(default=0, editable=False, help_text="Kept by the database from the entries")
    priority = models.PositiveSmallIntegerField(default=100, help_text="The lower number is drawn first")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True, help_text="Exclusive; empty: does not expire")
    scope = models.JSONField(default=dict, blank=True, help_text="Empty: all usage")
    rollover_percent = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    rollover_limit = AmountField(null=True, blank=True)
    rollover_months = models.PositiveSmallIntegerField(default=0, help_text="How long the rest lives on")
    opened_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    reason = models.CharField(max_length=300, blank=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["segment", "instalment", "starts_on"],
                condition=Q(origin="prepaid"),
                nulls_distinct=False,
                name="billing_grant_once_a_segment",
                violation_error_message="The credit of this prepayment was granted already.",
            ),
            models.UniqueConstraint(
                fields=["parent"], condition=Q(origin="rollover"), name="billing_grant_carried_over_once"
            ),
            models.CheckConstraint(
                name="billing_grant_remaining",
                condition=Q(remaining__gte=0) & Q(remaining__lte=F("granted")),
                violation_error_message="More would be drawn than is left of the grant.",
            ),
            models.CheckConstraint(name="billing_grant_amounts", condition=Q(granted__gt=0, paid__gte=0)),
            models.CheckConstraint(
                name="billing_grant_origin",
                condition=Q(origin="prepaid", line__isnull=False, segment__isnull=False, parent__isnull=True)
                | Q(origin="promotional", paid=0, line__isnull=True, parent__isnull=True) & ~Q(reason="")
                | Q(origin="rollover", parent__isnull=False),
                violation_error_message="A grant says where it comes from; a promotional one costs nothing.",
            ),
            models.CheckConstraint(
                name="billing_grant_dates", condition=Q(ends_on__isnull=True) | Q(ends_on__gt=F("starts_on"))
            ),
            models.CheckConstraint(
                name="billing_grant_rollover",
                condition=Q(rollover_percent=0)
                | Q(rollover_percent__gt=0, rollover_percent__lte=100, rollover_months__gt=0),
            ),
        ]

    class Guards:
        signatures = ["opened_by"]
        no_delete = True
        immutable = [
            "customer",
            "entity",
            "currency",
            "order",
            "line",
            "segment",
            "instalment",
            "parent",
            "origin",
            "granted",
            "paid",
            "priority",
            "starts_on",
            "ends_on",
            "scope",
            "rollover_percent",
            "rollover_limit",
            "rollover_months",
            "opened_by",
            "reason",
        ]

    def __str__(self) -> str:
        return f"grant {self.pk}"


class GrantEntry(AppendOnly):
    """One movement of a grant, signed: opened and restored are positive, the others negative.

    A draw names the usage line, the charge (by its key) and the days [part_from, part_to) that it paid for,
    and the drawdown charge that put it on a document. A restoration `reverses` a draw and gives back at most
    what is not given back yet.
    """

    class Kind(models.TextChoices):
        OPENED = "opened", "Opened"
        DRAWN = "drawn", "Drawn"
        RESTORED = "restored", "Restored"
        ROLLED_OVER = "rolled_over", "Carried over"
        EXPIRED = "expired", "Expired"
        WITHDRAWN = "withdrawn", "Withdrawn"

    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    amount = AmountField(help_text="Signed")
    occurred_on = models.DateField(help_text="Business date: of the document, or of the expiry")
    line = models.ForeignKey(
        OrderLine, null=True, blank=True, on_delete=models.PROTECT, related_name="grant_entries"
    )
    segment = models.ForeignKey(
        Segment, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    period_from = models.DateField(null=True, blank=True, help_text="Billing period of the usage charge")
    part_from = models.DateField(null=True, blank=True)
    part_to = models.DateField(null=True, blank=True, help_text="Exclusive")
    charge = models.ForeignKey(
        Charge, null=True, blank=True, on_delete=models.PROTECT, related_name="grant_entries"
    )
    reverses = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversals"
    )

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "grant entries"
        constraints = [
            models.CheckConstraint(
                name="billing_grantentry_sign",
                condition=Q(kind__in=["opened", "restored"], amount__gt=0)
                | Q(kind__in=["drawn", "rolled_over", "expired", "withdrawn"], amount__lt=0),
            ),
            models.CheckConstraint(
                name="billing_grantentry_use",
                condition=Q(
                    kind__in=["drawn", "restored"],
                    line__isnull=False,
                    segment__isnull=False,
                    period_from__isnull=False,
                    part_from__isnull=False,
                    part_to__gt=F("part_from"),
                    charge__isnull=False,
                )
                | Q(
                    kind__in=["opened", "rolled_over", "expired", "withdrawn"],
                    line__isnull=True,
                    charge__isnull=True,
                ),
            ),
            models.CheckConstraint(
                name="billing_grantentry_reverses",
                condition=Q(kind="restored", reverses__isnull=False)
                | ~Q(kind="restored") & Q(reverses__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["grant"], condition=Q(kind="opened"), name="billing_grantentry_opened_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount}"
