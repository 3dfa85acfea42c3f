"""Events taken back by whoever metered them; totals that were set right."""

from __future__ import annotations

from django.db import models

from billing.models.usage import UsageEvent, UsageSource
from o2c.records import AppendOnly


class UsageRetraction(AppendOnly):
    """The statement of a metering system that one of its events did not happen.

    Event and retraction both stay for ever; the event counts no more in any total. A retraction is counted
    once by its own id within the source, and an event is retracted once.
    """

    source = models.ForeignKey(UsageSource, on_delete=models.PROTECT, related_name="+", db_index=False)
    retraction_id = models.CharField(max_length=200)
    event = models.OneToOneField(UsageEvent, on_delete=models.PROTECT, related_name="retraction")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["source", "retraction_id"], name="billing_usageretraction_once"),
        ]

    def __str__(self) -> str:
        return self.retraction_id


class UsageRepair(AppendOnly):
    """That somebody set hourly totals to the sum of their events; whoever did releases no run over them."""

    hours = models.PositiveIntegerField(help_text="How many totals were set")
    reason = models.TextField()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"repair {self.pk} of {self.hours} hours"
