"""Judgements of people about the accounting of contract modifications (606-10-25-10 to 25-13)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from o2c.money import AmountField
from o2c.records import AppendOnly, Record
from o2c.states import StateField, StateMachine, transition
from orders.models import Amendment
from revenue.domain.modifications import paragraph
from revenue.domain.types import Treatment as Kind
from revenue.models.contracts import ContractVersion, Obligation


class TreatmentJudgement(StateMachine, Record):
    """How one modification is accounted for, for one or more obligations: proposed, then decided by another.

    Once approved it is a fact that the contract's versions are computed from: the version that it makes
    computes the one that it is about, and those after it, again. It never changes; another judgement of the
    same obligations takes its place, 'as the rules derive it' included. `journals` is what recognition
    would post more or less because of it in the first open period, as of the proposal.
    """

    class Treatment(models.TextChoices):
        SEPARATE = "separate", "Separate contract"
        PROSPECTIVE = "prospective", "Prospective"
        CUMULATIVE = "cumulative", "Cumulative catch-up"
        DERIVED = "derived", "As the rules derive it"

    class State(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    version = models.ForeignKey(ContractVersion, models.PROTECT, related_name="judgements")
    amendment = models.ForeignKey(Amendment, models.PROTECT, related_name="+")
    treatment = models.CharField(max_length=11, choices=Treatment.choices)
    remaining_distinct = models.BooleanField(
        null=True, blank=True, help_text="Whether the service that remains is distinct from what was given"
    )
    price_support = models.CharField(
        max_length=300, blank=True, default="",
        help_text="Why what is added is at its stand-alone price in this contract (606-10-25-12(b))",
    )  # fmt: skip
    memo = models.TextField(max_length=2000, help_text="The facts, the question and the conclusion")
    support = models.CharField(max_length=300, help_text="The evidence: what it is and where it is filed")
    journals = models.JSONField(default=dict, editable=False)
    state = StateField(choices=State.choices, default=State.PROPOSED)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", editable=False
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = "treatment judgement"
        constraints = [
            models.UniqueConstraint(
                fields=["version"],
                condition=Q(state="proposed"),
                name="one_judgement_of_a_version_waits",
                violation_error_message="Another judgement of this version waits for a decision.",
            ),
            models.CheckConstraint(
                condition=~Q(memo="") & ~Q(support=""),
                name="judgement_says_why",
                violation_error_message="A judgement says why, and what supports it.",
            ),
            models.CheckConstraint(
                condition=Q(treatment="derived", remaining_distinct__isnull=True)
                | Q(treatment="cumulative", remaining_distinct=False)
                | Q(treatment__in=["separate", "prospective"], remaining_distinct=True),
                name="judgement_fits_its_answer",
                violation_error_message="A cumulative catch-up is for service that is not distinct.",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "rejected"])
                | (Q(decided_by__isnull=False) & ~Q(decided_by=F("proposed_by"))),
                name="judgement_decided_by_another",
                violation_error_message="Who proposed a treatment does not decide about it.",
            ),
        ]

    class Guards:
        signatures = ["proposed_by", "decided_by"]
        no_delete = True
        immutable = [
            "version", "amendment", "treatment", "remaining_distinct", "price_support", "memo", "support",
            "journals", "proposed_by",
        ]  # fmt: skip
        frozen_when = {"field": "state", "values": ["approved", "rejected", "withdrawn"]}

    def __str__(self) -> str:
        return f"TJ-{self.pk:06d}" if self.pk else "treatment judgement"

    @property
    def source(self) -> str:
        """The event of the version that it makes."""
        return f"revenue.treatmentjudgement:{self.pk}"

    @property
    def paragraph(self) -> str:
        """The paragraph that the proposed treatment follows."""
        if self.treatment == self.Treatment.DERIVED:
            return "606-10-25-10 to 25-13: what follows from the facts"
        return paragraph(Kind(self.treatment))

    @transition(
        state,
        source=State.PROPOSED,
        target=State.APPROVED,
        duty="revenue.treatment.approve",
        service="revenue.services.judgements.approve",
        label="Approve",
    )
    def approve(self) -> None:
        """The contract follows it from now on."""

    @transition(
        state,
        source=State.PROPOSED,
        target=State.REJECTED,
        duty="revenue.treatment.approve",
        service="revenue.services.judgements.reject",
        label="Reject",
    )
    def reject(self) -> None:
        """The contract stays as it is; the proposal stays on record."""

    @transition(
        state,
        source=State.PROPOSED,
        target=State.WITHDRAWN,
        duty="revenue.treatment.propose",
        service="revenue.services.judgements.withdraw",
        label="Withdraw",
    )
    def withdraw(self) -> None:
        """Not proposed any longer; it stays on record."""


class JudgedObligation(AppendOnly):
    """An obligation that a judgement is about, and how the version treated it until then."""

    judgement = models.ForeignKey(TreatmentJudgement, models.PROTECT, related_name="obligations")
    obligation = models.ForeignKey(Obligation, models.PROTECT, related_name="judgements")
    treatment_before = models.CharField(max_length=12)

    class Meta:
        ordering = ["judgement", "obligation"]
        constraints = [
            models.UniqueConstraint(fields=["judgement", "obligation"], name="judged_once_by_a_judgement"),
        ]

    class Guards:
        child_of = ("judgement", "state", ["proposed"])

    def __str__(self) -> str:
        return f"{self.obligation_id} of {self.judgement_id}"


class JudgedMonth(AppendOnly):
    """Revenue of one obligation and month before and after a judgement, in the contract's currency."""

    judgement = models.ForeignKey(TreatmentJudgement, models.PROTECT, related_name="months")
    obligation = models.ForeignKey(Obligation, models.PROTECT, related_name="+")
    month = models.DateField(help_text="First day of the month")
    before = AmountField()
    after = AmountField()

    class Meta:
        ordering = ["judgement", "obligation", "month"]
        constraints = [
            models.UniqueConstraint(fields=["judgement", "obligation", "month"], name="judged_month_once"),
            models.CheckConstraint(condition=Q(month__day=1), name="judged_month_is_first_day"),
        ]

    class Guards:
        child_of = ("judgement", "state", ["proposed"])

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.before} to {self.after}"
