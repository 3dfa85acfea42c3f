"""Requests: what somebody wants done, what it would do, who looked, what they said."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from o2c.access.models import User
from o2c.controls.approvals.models.delegation import Delegation
from o2c.controls.approvals.models.policy import Policy
from o2c.money import AmountField
from o2c.records import AppendOnly, Record
from o2c.states import StateField, StateMachine, transition

DUTY_DECIDE = "approvals.request.decide"


def _json(**options: Any) -> models.JSONField:
    return models.JSONField(encoder=DjangoJSONEncoder, editable=False, **options)


class Request(StateMachine, Record):
    """A proposed act with its facts and effects, bound by digest to what approvers decide about.

    `facts` are what the database says of the controlled row, `effects` what the rehearsal would have written;
    `digest` binds both with the parameters and the policy version. When the values change, a new round
    begins; the rounds before stay, with what their approvers saw.
    """

    class State(models.TextChoices):
        OPEN = "open", "Waiting for decisions"
        STALE = "stale", "Changed; cannot be asked again yet"
        APPROVED = "approved", "Approved, not carried out"
        COMMITTED = "committed", "Carried out"
        REJECTED = "rejected", "Rejected"
        RECALLED = "recalled", "Recalled"
        EXPIRED = "expired", "Expired"

    LIVE = (State.OPEN, State.STALE, State.APPROVED)

    act = models.CharField(max_length=100)
    subject_model = models.CharField(max_length=60)
    subject_id = models.BigIntegerField()
    subject_label = models.CharField(max_length=200)
    parameters = _json(default=dict)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="requests")
    state = StateField(choices=State.choices, default=State.OPEN)
    round = models.PositiveIntegerField(default=1)
    facts = _json()
    effects = _json(default=dict)
    facts_digest = models.CharField(max_length=64, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    amount = AmountField(null=True, blank=True, help_text="What is at stake, in functional currency")
    currency = models.CharField(max_length=3, blank=True)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=1000)
    submitted_at = models.DateTimeField()
    excluded = ArrayField(models.BigIntegerField(), default=list, help_text="Who may not decide")
    problem = models.CharField(max_length=1000, blank=True, help_text="Why it could not be carried out")
    decided_at = models.DateTimeField(null=True, blank=True, editable=False)
    lapses_at = models.DateTimeField(
        null=True, blank=True, editable=False,
        help_text="Of a request that waits for no decision: expires then",
    )  # fmt: skip
    committed_at = models.DateTimeField(null=True, blank=True, editable=False)
    committed_txid = models.BigIntegerField(null=True, blank=True, editable=False)
    result_id = models.BigIntegerField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["act", "subject_id"],
                name="approvals_request_one_live",
                condition=Q(state__in=["open", "stale", "approved"]),
                violation_error_message="A request for this is waiting already.",
            ),
            models.CheckConstraint(
                name="approvals_request_committed_says_where",
                condition=~Q(state="committed") | Q(committed_txid__isnull=False, result_id__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["act", "result_id"], name="approvals_request_result"),
            models.Index(fields=["subject_model", "subject_id"], name="approvals_request_subject"),
            models.Index(fields=["state", "submitted_at"], name="approvals_request_state"),
        ]

    class Guards:
        no_delete = True
        immutable = ["act", "subject_model", "subject_id", "parameters", "requested_by", "submitted_at"]
        frozen_when = {"field": "state", "values": ["committed", "rejected", "recalled", "expired"]}

    def __str__(self) -> str:
        return f"{self.number} {self.subject_label}"

    @property
    def number(self) -> str:
        return f"AR-{self.pk:06d}"

    @transition(
        state,
        source=State.OPEN,
        target=State.APPROVED,
        duty=DUTY_DECIDE,
        label="Complete",
    )
    def complete(self) -> None:
        """Every step is decided; the act is still to be done."""

    @transition(
        state,
        source=[State.OPEN, State.APPROVED],
        target=State.COMMITTED,
        duty=DUTY_DECIDE,
        service="o2c.controls.approvals.services.carrying.carry_out",
        label="Carry out",
    )
    def commit(self) -> None:
        """Done, exactly as approved, in the transaction of this change."""

    @transition(state, source=State.OPEN, target=State.REJECTED, duty=DUTY_DECIDE, label="Reject")
    def reject(self) -> None:
        """Somebody who may decide said no."""

    @transition(
        state,
        source=[State.OPEN, State.STALE, State.APPROVED],
        target=State.RECALLED,
        duty="approvals.request.submit",
        service="o2c.controls.approvals.services.submitting.recall",
        label="Recall",
    )
    def recall(self) -> None:
        """Whoever asked takes it back; what was decided stays on record."""

    @transition(
        state,
        source=[State.OPEN, State.STALE, State.APPROVED],
        target=State.EXPIRED,
        duty="approvals.timer.run",
    )
    def expire(self) -> None:
        """Nobody decided, asked again or carried it out in time: that is a no."""

    @transition(state, source=[State.OPEN, State.APPROVED], target=State.STALE, duty=DUTY_DECIDE)
    def go_stale(self) -> None:
        """The values changed, and nobody can be asked about the new ones now."""

    @transition(
        state,
        source=[State.STALE, State.APPROVED],
        target=State.OPEN,
        duty="approvals.request.submit",
        service="o2c.controls.approvals.services.submitting.renew",
        label="Ask again",
    )
    def reopen(self) -> None:
        """A new round about the values as they are now."""


class Round(AppendOnly):
    """What approvers of one round had in front of them: for ever."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="rounds")
    number = models.PositiveIntegerField()
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="+")
    facts = _json()
    effects = _json()
    facts_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    base_versions = _json(default=dict)
    changes = _json(default=list)
    eligible = _json(default=dict)
    exclusions = _json(default=list)
    clause = models.TextField(blank=True)

    class Meta:
        ordering = ["request", "number"]
        constraints = [models.UniqueConstraint(fields=["request", "number"], name="approvals_round_once")]

    def __str__(self) -> str:
        return f"Round {self.number} of {self.request_id}"


class Step(Record):
    """One step of one round: which duty decides, since when, until when."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="steps")
    round = models.PositiveIntegerField()
    position = models.PositiveIntegerField()
    code = models.CharField(max_length=40)
    title = models.CharField(max_length=100)
    duty = models.CharField(max_length=100)
    approvers = models.PositiveSmallIntegerField(default=1)
    because = _json(default=list)
    opened_at = models.DateTimeField(null=True, blank=True)
    remind_at = models.DateTimeField(null=True, blank=True)
    escalate_at = models.DateTimeField(null=True, blank=True)
    expire_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    escalated_to = _json(default=list, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["request", "round", "position"]
        constraints = [
            models.UniqueConstraint(fields=["request", "round", "code"], name="approvals_step_once")
        ]
        indexes = [
            models.Index(
                fields=["duty", "opened_at"],
                name="approvals_step_waiting",
                condition=Q(done_at__isnull=True, opened_at__isnull=False),
            )
        ]

    class Guards:
        no_delete = True
        immutable = ["request", "round", "position", "code", "duty", "approvers"]

    def __str__(self) -> str:
        return self.title


class Decision(AppendOnly):
    """What one person said about one step of one round. The table refuses whoever may not say it."""

    class Verdict(models.TextChoices):
        APPROVE = "approve", "Approved"
        REJECT = "reject", "Rejected"
        CARRIED = "carried", "Approval kept"
        QUESTION = "question", "Question"
        ANSWER = "answer", "Answer"

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="decisions")
    step = models.ForeignKey(Step, null=True, blank=True, on_delete=models.PROTECT, related_name="decisions")
    round = models.PositiveIntegerField()
    step_code = models.CharField(max_length=40, blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    delegation = models.ForeignKey(
        Delegation, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    delegator = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    original = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="carried_as"
    )
    facts_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    comment = models.CharField(max_length=1000)
    context = _json(default=dict)

    class Meta:
        ordering = ["request", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "round", "decided_by"],
                name="approvals_decision_one_each",
                condition=Q(verdict__in=["approve", "carried"]),
                violation_error_message="One person decides one step of a request.",
            ),
            models.CheckConstraint(
                name="approvals_decision_says_why",
                condition=Q(comment__regex=r"\S"),
                violation_error_message="Whoever decides says why.",
            ),
            models.CheckConstraint(
                name="approvals_decision_carried_from",
                condition=Q(verdict="carried", original__isnull=False)
                | (~Q(verdict="carried") & Q(original__isnull=True)),
            ),
        ]
        indexes = [models.Index(fields=["request", "round", "step_code"], name="approvals_decision_step")]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()} by {self.decided_by}"
