"""An exception to a rule for one person: asked for, approved by somebody else, mitigated, and it ends."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.db.models import F, Q

from o2c.access.models import User
from o2c.controls.sod.models.rules import SodRule
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition

LONGEST = dt.timedelta(days=90)


class SodException(StateMachine, Record):
    """Lets `user` hold or do both sides of `rule` in `[valid_from, valid_to)`, at most ninety days."""

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        ENDED = "ended", "Ended early"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="sod_exceptions")
    rule = models.ForeignKey(SodRule, on_delete=models.PROTECT, related_name="exceptions")
    reason = models.TextField(help_text="Why the work can't be divided for now")
    mitigation = models.TextField(help_text="What somebody else does meanwhile, and how often")
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField()
    state = StateField(choices=State.choices, default=State.REQUESTED)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_note = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-valid_to", "-pk"]
        verbose_name = "exception to a rule"
        verbose_name_plural = "exceptions to rules"
        constraints = [
            models.CheckConstraint(
                name="sod_exception_ends",
                condition=Q(valid_to__gt=F("valid_from")) & Q(valid_to__lte=F("valid_from") + LONGEST),
                violation_error_message="An exception ends within ninety days.",
            ),
            models.CheckConstraint(
                name="sod_exception_mitigated",
                condition=~Q(mitigation="") & ~Q(reason=""),
                violation_error_message="An exception says why, and what is done meanwhile.",
            ),
            models.CheckConstraint(
                name="sod_exception_decided_by_another",
                condition=Q(decided_by__isnull=True)
                | (~Q(decided_by=F("user")) & ~Q(decided_by=F("requested_by"))),
                violation_error_message="Neither the beneficiary nor whoever asked decides an exception.",
            ),
            models.CheckConstraint(
                name="sod_exception_approved_by_someone",
                condition=~Q(state="approved") | Q(decided_by__isnull=False),
            ),
        ]
        indexes = [models.Index(fields=["user", "rule"], name="sod_exception_user_rule")]

    class Guards:
        signatures = ["requested_by", "decided_by"]
        no_delete = True
        immutable = ("user", "rule", "reason", "mitigation", "valid_from", "valid_to", "requested_by")

    def __str__(self) -> str:
        return f"{self.rule.code} for {self.user} until {self.valid_to:%Y-%m-%d}"

    @transition(
        state,
        source=State.REQUESTED,
        target=State.APPROVED,
        duty="sod.exception.decide",
        service="o2c.controls.sod.services.exceptions.approve",
        label="Approve",
    )
    def approve(self) -> None:
        """Somebody else takes the risk for a time."""

    @transition(
        state,
        source=State.REQUESTED,
        target=State.REJECTED,
        duty="sod.exception.decide",
        service="o2c.controls.sod.services.exceptions.reject",
        label="Reject",
    )
    def reject(self) -> None:
        """The work has to be divided."""

    @transition(
        state,
        source=State.APPROVED,
        target=State.ENDED,
        duty="sod.exception.decide",
        service="o2c.controls.sod.services.exceptions.end",
        label="End now",
    )
    def end(self) -> None:
        """The exception is no longer needed; grants that lived on it are revoked first."""
