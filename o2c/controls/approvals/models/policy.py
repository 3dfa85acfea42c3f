"""Policies: data, versioned, one in force per act at a time, made by one person, put in force by another."""

from __future__ import annotations

import datetime as dt

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Greatest

from o2c import clock
from o2c.access.models import User
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition

# Approved before its date, it waits for it; approved after it, it applies from then on and not from before.
BEGINS = Greatest(Coalesce("valid_from", "activated_at"), "activated_at")


class PolicyQuerySet(models.QuerySet["Policy"]):
    def in_force(self, at: dt.datetime | None = None) -> PolicyQuerySet:
        """Of each act the version that applies at this instant (now): the last that has begun.

        The database says the same by itself (`o2c_policy_now`).
        """
        begun = self.begun(at)
        last = Policy.objects.begun(at).filter(act=OuterRef("act")).order_by(BEGINS.desc(), "-version")
        return begun.filter(pk=Subquery(last.values("pk")[:1]))

    def begun(self, at: dt.datetime | None = None) -> PolicyQuerySet:
        """Put in force, and not for a later date."""
        now = Q(valid_from__isnull=True) | Q(valid_from__lte=at or clock.now())
        return self.filter(now, state=Policy.State.ACTIVE)


class Policy(StateMachine, Record):
    """One version of what an act needs (o2c/controls/approvals/domain/policy.py says its form).

    A version that was put in force never changes. It applies from `valid_from`, or at once, until another one
    begins. `shipped` versions come with the product and are put in force by whoever installs it; every other
    one is drafted by one person and activated by another.
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
    valid_from = models.DateTimeField(
        null=True, blank=True, help_text="Applies from then on; empty: as soon as it is put in force"
    )
    activated_at = models.DateTimeField(null=True, blank=True, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)
    note = models.CharField(max_length=300, blank=True, help_text="Why this version")

    objects = PolicyQuerySet.as_manager()

    class Meta:
        ordering = ["act", "-version"]
        verbose_name_plural = "policies"
        constraints = [
            models.UniqueConstraint(fields=["act", "version"], name="approvals_policy_version"),
            models.UniqueConstraint(
                fields=["act"],
                name="approvals_policy_one_in_force",
                condition=Q(state="active", valid_from__isnull=True),
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
        """The version that requests follow from now on, or from its date on."""

    @property
    def waits(self) -> bool:
        """Put in force for a date that has not come."""
        return (
            self.state == Policy.State.ACTIVE
            and self.valid_from is not None
            and self.valid_from > clock.now()
        )

    @transition(
        state, source=State.ACTIVE, target=State.RETIRED, duty="approvals.policy.activate", label="Retire"
    )
    def retire(self) -> None:
        """Another version has begun to apply."""
