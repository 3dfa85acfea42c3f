"""Lines that are billed by a schedule of dates and amounts, or when milestones are reached."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from o2c.records import AppendOnly
from orders.domain.schedules import CUSTOM
from orders.models.terms import BillingTerms

LINE_FREQUENCIES = [*BillingTerms.Frequency.choices, (CUSTOM, "By schedule or milestones")]


def schedule_check(name: str) -> models.CheckConstraint:
    """A line has instalments exactly when it is billed by them."""
    return models.CheckConstraint(
        condition=Q(frequency=CUSTOM) & ~Q(schedule=[]) | ~Q(frequency=CUSTOM) & Q(schedule=[]),
        name=f"orders_{name}_schedule",
        violation_error_message="A line that is billed by schedule has instalments, and no other line has.",
    )


class MilestoneRecord(AppendOnly):
    """That a milestone of a line was reached on a day, or (`reached_on` empty) that this was said in error.

    The last record of a milestone holds; who made it is in `actor_id`. What a milestone billed that is taken
    back is credited by the next run.
    """

    line = models.ForeignKey("orders.OrderLine", on_delete=models.PROTECT, related_name="milestone_records")
    milestone = models.CharField(max_length=100, help_text="name of the instalment")
    sequence = models.PositiveIntegerField(help_text="1, 2, 3 … within the milestone")
    reached_on = models.DateField(null=True, blank=True, help_text="empty: taken back")
    reason = models.TextField(blank=True, default="", help_text="what proves it")

    class Meta:
        ordering = ["line_id", "milestone", "sequence"]
        constraints = [
            models.UniqueConstraint(
                fields=["line", "milestone", "sequence"],
                name="orders_milestonerecord_once",
                violation_error_message="Somebody else recorded this milestone at the same time.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.milestone}: {self.reached_on or 'not reached'}"
