"""The contract clauses about billing that a quote offers and an order fixes."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from o2c.money import AmountField


class BillingTerms(models.Model):
    """Billing clauses, the same on a quote and on the order made from it."""

    class Frequency(models.TextChoices):
        WEEK = "week", "Weekly"
        MONTH = "month", "Monthly"
        QUARTER = "quarter", "Quarterly"
        HALF_YEAR = "half_year", "Half-yearly"
        YEAR = "year", "Yearly"

    class Timing(models.TextChoices):
        ADVANCE = "advance", "In advance"
        ARREARS = "arrears", "In arrears"

    class Anchor(models.TextChoices):
        ANNIVERSARY = "anniversary", "From the start date"
        CALENDAR = "calendar", "Calendar periods"

    class Proration(models.TextChoices):
        ACTUAL_DAYS = "actual_days", "Actual days of the period"
        FIXED_30 = "fixed_30", "30 days in every month"
        THIRTY_360 = "thirty_360", "30/360 bond basis"
        SECONDS = "seconds", "Seconds, in the contract's time zone"
        WHOLE_MONTHS = "whole_months", "Whole months"
        NONE = "none", "Whole periods"

    class CountedDay(models.TextChoices):
        FIRST = "first", "The first day counts, the last does not"
        LAST = "last", "The last day counts, the first does not"

    class Remainder(models.TextChoices):
        EACH = "each", "Nobody: every charge is rounded by itself"
        FIRST = "first", "The first charge of a price period"
        LAST = "last", "The last charge of a price period"

    class Channel(models.TextChoices):
        DIRECT = "direct", "Direct"
        AWS = "aws", "AWS Marketplace"

    class LateUsage(models.TextChoices):
        BILL_NEXT = "bill_next", "Bill on the next invoice"
        REBILL = "rebill", "Credit the bill and bill it again"
        REVIEW = "review", "Park for review"
        ABSORB = "absorb", "Do not bill"

    entity = models.ForeignKey("ledger.LegalEntity", on_delete=models.PROTECT, related_name="+")
    time_zone = models.CharField(
        max_length=64, default="UTC", help_text="IANA name; day boundaries of the contract"
    )
    billing_frequency = models.CharField(max_length=10, choices=Frequency.choices, default=Frequency.MONTH)
    anchor = models.CharField(max_length=12, choices=Anchor.choices, default=Anchor.ANNIVERSARY)
    anchor_on = models.DateField(
        null=True,
        blank=True,
        help_text="Where billing periods are counted from; of calendar periods its day of the month is the "
        "billing day. Empty: the start, or the 1st",
    )
    proration = models.CharField(max_length=12, choices=Proration.choices, default=Proration.ACTUAL_DAYS)
    counted_day = models.CharField(
        max_length=5,
        choices=CountedDay.choices,
        default=CountedDay.FIRST,
        help_text="which day of a part of a period is paid for",
    )
    remainder = models.CharField(
        max_length=5,
        choices=Remainder.choices,
        default=Remainder.EACH,
        help_text="who takes what rounding leaves of a price that is billed in parts",
    )
    po_number = models.CharField(max_length=60, blank=True, default="")
    payment_terms_days = models.PositiveSmallIntegerField(default=30)
    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.DIRECT)
    late_usage_policy = models.CharField(
        max_length=10, choices=LateUsage.choices, default=LateUsage.BILL_NEXT
    )
    late_waive_below = AmountField(
        null=True, blank=True, help_text="late usage that comes to less is not billed; empty: all of it is"
    )
    commitments = models.JSONField(
        default=list, blank=True, help_text="minimum commitments (orders/domain/clauses.py)"
    )
    invoice_thresholds = models.JSONField(
        default=list, blank=True, help_text="unbilled usage that makes an early invoice, ascending amounts"
    )
    auto_renew = models.BooleanField(default=False)
    renewal_term_months = models.PositiveSmallIntegerField(null=True, blank=True)
    renewal_uplift_percent = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    termination_notice_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="notice with which the customer may leave early; empty: may not"
    )
    acceptance_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="days in which the customer may refuse what was delivered; empty: none",
    )
    most_favoured_price = models.BooleanField(
        default=False, db_default=False, help_text="nobody else may get a lower price"
    )
    side_letter = models.CharField(
        max_length=300,
        blank=True,
        default="",
        db_default="",
        help_text="what else was promised, and where it is filed; empty: nothing",
    )

    class Meta:
        abstract = True


def clause_checks(name: str) -> list[models.CheckConstraint]:
    """Constraints of the clauses that decide amounts, for a model named `name` ("order", "quote")."""
    terms = BillingTerms
    return [
        models.CheckConstraint(
            condition=Q(**{f"{column}__in": choices.values}),
            name=f"orders_{name}_{column}",
            violation_error_message=f"{column} is one of {', '.join(choices.values)}.",
        )
        for column, choices in (
            ("billing_frequency", terms.Frequency),
            ("anchor", terms.Anchor),
            ("proration", terms.Proration),
            ("counted_day", terms.CountedDay),
            ("remainder", terms.Remainder),
        )
    ]
