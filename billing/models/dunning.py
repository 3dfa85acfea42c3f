"""Reminders: the plan's levels, and the notices that were sent."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from o2c.ledger.models import LegalEntity
from o2c.money import AmountField, CurrencyField
from o2c.records import AppendOnly, Record
from orders.models import Customer


class DunningLevel(Record):
    """One step of the dunning plan: what is written after how many days past due."""

    level = models.PositiveSmallIntegerField(unique=True)
    name = models.CharField(max_length=60)
    days_overdue = models.PositiveSmallIntegerField(unique=True, help_text="Of the oldest overdue invoice")
    subject = models.CharField(max_length=200)
    body = models.TextField(help_text="Placeholders: {customer}, {amount}, {oldest_due}, {days}")
    escalates = models.BooleanField(default=False, help_text="A person calls instead of a mail being sent")

    class Meta:
        ordering = ["level"]

    def __str__(self) -> str:
        return f"{self.level}. {self.name}"


class DunningNotice(AppendOnly):
    """A reminder that was sent: at which level, for which invoices, how much was overdue then."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="dunning_notices")
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+")
    currency = CurrencyField()
    level = models.PositiveSmallIntegerField()
    oldest_due = models.DateField(help_text="Due date of the oldest overdue invoice: names the episode")
    amount = AmountField(help_text="Overdue and undisputed then")
    invoices = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    address = models.EmailField(blank=True)
    noticed_on = models.DateField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "entity", "currency", "oldest_due", "level"],
                name="billing_dunning_level_once_per_episode",
                violation_error_message="This level was sent for this debt already.",
            )
        ]

    def __str__(self) -> str:
        return f"level {self.level} to {self.customer} on {self.noticed_on}"
