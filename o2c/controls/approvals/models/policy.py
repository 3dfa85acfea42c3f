"""Policies: data, versioned, one in force per act, made by one person and put in force by another."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from o2c.access.models import User
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition


class Policy(StateMachine, Record):
    """One version of what an act needs (o2c/controls/approvals/domain/policy.py says its form).

    A version that was ever in force never changes. `shipped` versions come with the product and are put in
    force by whoever installs it; every other one is drafted by one person and activated by another.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "In force"
        RETIRED = "retired", "Retired"

    initial_states = (State.DRAFT, State.ACTIVE)

    act = models.CharField(max_length=100)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    content = models.JSONField(encoder=DjangoJSONEncoder)
    state = StateField(choices=State.choices, default=State.DRAFT)
    shipped = models.BooleanField(default=False, editable=False)
    drafted_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    activated_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    activated_at = models.DateTimeField(null=True, blank=True, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)
    note = models.CharField(max_length=300, blank=True, help_text="Why this version")

    class Meta:
        ordering = ["act", "-version"]
        verbose_name_plural = "policies"
        constraints = [
            models.UniqueConstraint(fields=["act", "version"], name="approvals_policy_version"),
            models.UniqueConstraint(
                fields=["act"],
                name="approvals_policy_one_in_force",
                condition=Q(state="active"),
                violation_error_message="Another version of this policy is in force.",
            ),
            models.CheckConstraint(
                name="approvals_policy_activated_by_another",
                condition=Q(state="draft")
                | Q(shipped=True)
                | (
                    Q(drafted_by__isnull=False, activated_by__isnull=False) & ~Q(activated_by=F("drafted_by"))
                ),
                violation_error_message="Who drafted a policy does not put it in force.",
            ),
        ]

    class Guards:
        signatures = ["drafted_by", "activated_by"]
        no_delete = True
        immutable = ["act", "version", "drafted_by", "shipped"]
        frozen_when = {
            "field": "state",
            "values": ["active", "retired"],
            "except_": ["state", "retired_at"],
        }

    def __str__(self) -> str:
        return f"{self.title} v{self.version}"

    @transition(
        state,
        source=State.DRAFT,
        target=State.ACTIVE,
        duty="approvals.policy.activate",
        service="o2c.controls.approvals.services.policies.activate",
        label="Put in force",
    )
    def activate(self) -> None:
        """The version that requests follow from now on; the one before is retired."""

    @transition(
        state, source=State.ACTIVE, target=State.RETIRED, duty="approvals.policy.activate", label="Retire"
    )
    def retire(self) -> None:
        """Replaced by a later version."""
