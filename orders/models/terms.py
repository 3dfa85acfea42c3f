"""The contract clauses about billing that a quote offers and an order fixes."""

from __future__ import annotations

from django.db import models

from o2c.money import AmountField


class BillingTerms(models.Model):
    """Billing clauses, the same on a quote and on the order made from it."""

    class Frequency(models.TextChoices):
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
        WHOLE_MONTHS = "whole_months", "Whole months"
        NONE = "none", "Whole periods"

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
    proration = models.CharField(max_length=12, choices=Proration.choices, default=Proration.ACTUAL_DAYS)
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

    class Meta:
        abstract = True
