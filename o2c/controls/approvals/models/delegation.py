"""Who decides for whom while they are away, and the days on which nobody works."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from o2c import clock
from o2c.access.models import User
from o2c.records import Record


class DelegationQuerySet(models.QuerySet["Delegation"]):
    def in_force(self) -> DelegationQuerySet:
        """Accepted, not revoked, and now."""
        now = clock.now()
        return self.filter(
            accepted_at__isnull=False, revoked_at__isnull=True, valid_from__lte=now, valid_to__gt=now
        )


class Delegation(Record):
    """In `[valid_from, valid_to)` the delegate may decide what the delegator could, once they accepted.

    Depth one: what somebody may do by delegation they cannot pass on, because only duties held by a role
    count. Both names stand on every decision.
    """

    delegator = models.ForeignKey(User, on_delete=models.PROTECT, related_name="delegations_given")
    delegate = models.ForeignKey(User, on_delete=models.PROTECT, related_name="delegations_held")
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField()
    reason = models.CharField(max_length=300)
    accepted_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = DelegationQuerySet.as_manager()

    class Meta:
        ordering = ["-valid_from"]
        constraints = [
            models.CheckConstraint(
                name="approvals_delegation_to_another",
                condition=~Q(delegator=F("delegate")),
                violation_error_message="Nobody delegates to themselves.",
            ),
            models.CheckConstraint(
                name="approvals_delegation_ends",
                condition=Q(valid_to__gt=F("valid_from")),
                violation_error_message="A delegation ends after it begins.",
            ),
        ]

    class Guards:
        no_delete = True
        immutable = ["delegator", "delegate", "valid_from", "valid_to", "reason"]

    def __str__(self) -> str:
        return f"{self.delegate} for {self.delegator}"


class Holiday(Record):
    """A day on which the clock of an approval stands still."""

    day = models.DateField(unique=True)
    name = models.CharField(max_length=100)

    class Meta:
        ordering = ["day"]

    def __str__(self) -> str:
        return f"{self.day} {self.name}"
