"""Charges that were billed: what the engine expected, at the moment a document was posted."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from billing.models.bill_run import BillRun
from billing.models.invoice import InvoiceLine
from o2c.money import AmountField, CurrencyField, QuantityField
from o2c.records import AppendOnly
from orders.models import OrderLine, Segment, ranges


class Charge(AppendOnly):
    """One billed charge, or a correction of one (`revision` above 0, `corrects` the first of its key).

    The key is (line, segment, kind, period_from); the sum of its rows is what was billed for it. The engine
    subtracts these sums from what it expects, so nothing is ever billed twice. Two guards hold that in the
    database: a key and revision exists once, and no two first billings of a segment cover the same day.

    A drawdown (or waiver) is a charge below zero beside the usage charge of the same line, segment and
    period: what grants paid of it (or what the contract lets go). The engine expects and sees neither.

    `covers_from`/`covers_to` is the service that the key stands for after this row; empty once it was taken
    back. `amount` is signed and net of tax, in whole minor units of `currency`.
    """

    class Kind(models.TextChoices):
        RECURRING = "recurring", "Recurring"
        USAGE = "usage", "Usage"
        ONE_TIME = "one_time", "One-time"
        PREPAID = "prepaid", "Prepaid"
        MINIMUM = "minimum", "Minimum commitment"
        DRAWDOWN = "drawdown", "Paid by credit"
        WAIVER = "waiver", "Not billed"

    COVERS = (Kind.DRAWDOWN, Kind.WAIVER)

    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="charges", db_index=False)
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    period_from = models.DateField(help_text="First day of the billing period")
    period_to = models.DateField(help_text="Exclusive")
    service_from = models.DateField(help_text="Service that this row charges or credits")
    service_to = models.DateField(help_text="Exclusive")
    covers_from = models.DateField()
    covers_to = models.DateField(help_text="Exclusive")
    due_on = models.DateField(help_text="First day of service in advance, last day in arrears")
    revision = models.PositiveIntegerField(default=0)
    corrects = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="corrections", db_index=False
    )
    quantity = QuantityField()
    amount = AmountField(help_text="Signed, net")
    currency = CurrencyField()
    trace = models.JSONField(default=dict, encoder=DjangoJSONEncoder, help_text="Why this number")
    run = models.ForeignKey(
        BillRun, null=True, blank=True, on_delete=models.PROTECT, related_name="charges", db_index=False
    )
    invoice_line = models.OneToOneField(
        InvoiceLine, null=True, blank=True, on_delete=models.PROTECT, related_name="charge"
    )

    class Meta:
        ordering = ["line_id", "period_from", "revision"]
        constraints = [
            models.UniqueConstraint(
                fields=["line", "segment", "kind", "period_from", "revision"],
                name="billing_charge_once",
                violation_error_message="This charge was billed already.",
            ),
            models.CheckConstraint(
                name="billing_charge_correction_names_its_charge",
                condition=Q(revision=0, corrects__isnull=True) | Q(revision__gt=0, corrects__isnull=False),
            ),
            models.CheckConstraint(
                name="billing_charge_dates",
                condition=Q(period_to__gt=F("period_from"))
                & Q(service_to__gt=F("service_from"))
                & Q(covers_to__gte=F("covers_from")),
            ),
            ExclusionConstraint(
                name="billing_charge_no_day_twice",
                expressions=[ranges.same("segment"), ranges.dates("service_from", "service_to")],
                condition=Q(revision=0) & ~Q(kind__in=["minimum", "drawdown", "waiver"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.service_from} to {self.service_to}: {self.amount}"
