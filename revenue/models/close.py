"""The close of a period: its checklist, its signatures, its reopening."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from o2c.access.models import User
from o2c.ledger.models import AccountingPeriod
from o2c.money import AmountField
from o2c.records import AppendOnly, Record
from o2c.states import Condition, StateField, StateMachine, transition


def _all_answered(run: CloseRun) -> bool:
    from revenue.selectors.checklist import unanswered

    return not unanswered(run)


class CloseRun(StateMachine, Record):
    """One close of one period: tie-outs run, differences explained, signed by two, locked.

    `snapshot` holds the figures that were signed (trial balance and schedule hashes); `digest` binds
    both signatures to them. A reopened close stays as it was; the next one is another row.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        PREPARED = "prepared", "Prepared"
        LOCKED = "locked", "Locked"
        REOPENING = "reopening", "Reopening asked for"
        REOPENED = "reopened", "Reopened"

    period = models.ForeignKey(AccountingPeriod, models.PROTECT, related_name="close_runs")
    number = models.PositiveIntegerField(default=1, help_text="1, 2 … within the period")
    state = StateField(choices=State.choices, default=State.OPEN)
    attempt = models.PositiveIntegerField(default=0, help_text="How often the tie-outs were run")
    snapshot = models.JSONField(default=dict, blank=True)
    digest = models.CharField(max_length=64, blank=True, default="", help_text="sha256 of the snapshot")
    prepared_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    prepared_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reopening_asked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    reopened_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    reopened_at = models.DateTimeField(null=True, blank=True)
    reopening_reason = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-period__starts_on", "period__entity_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["period", "number"], name="close_numbered_once"),
            models.UniqueConstraint(
                fields=["period"], condition=~Q(state="reopened"), name="one_close_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(reviewed_by__isnull=True) | ~Q(reviewed_by=F("prepared_by")),
                name="close_reviewed_by_second_person",
                violation_error_message="Who prepared the close does not review it.",
            ),
            models.CheckConstraint(
                condition=Q(state="open")
                | Q(prepared_by__isnull=False, prepared_at__isnull=False) & ~Q(digest=""),
                name="close_prepared_by_someone",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["locked", "reopening", "reopened"])
                | Q(prepared_by__isnull=False, reviewed_by__isnull=False, reviewed_at__isnull=False),
                name="close_locked_by_two",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["reopening", "reopened"])
                | Q(reopening_asked_by__isnull=False) & ~Q(reopening_reason=""),
                name="close_reopening_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(reopened_by__isnull=True) | ~Q(reopened_by=F("reopening_asked_by")),
                name="close_reopened_by_second_person",
                violation_error_message="Who asked for the reopening does not grant it.",
            ),
            models.CheckConstraint(
                condition=~Q(state="reopened") | Q(reopened_by__isnull=False, reopened_at__isnull=False),
                name="close_reopened_by_someone",
            ),
        ]

    class Guards:
        signatures = ["prepared_by", "reviewed_by", "reopening_asked_by", "reopened_by"]
        immutable = ["period", "number"]
        no_delete = True

    def __str__(self) -> str:
        return f"Close of {self.period}" + (f" ({self.number})" if self.number > 1 else "")

    @transition(
        state,
        source=State.OPEN,
        target=State.PREPARED,
        duty="revenue.close.prepare",
        service="revenue.services.close.prepare",
        label="Sign as preparer",
        conditions=[
            Condition(lambda run: run.attempt > 0, "the tie-outs have not been run"),
            Condition(_all_answered, "a tie-out differs and nobody has explained it"),
        ],
    )
    def prepare(self) -> None:
        """The checklist is complete: every tie-out agrees or is explained."""

    @transition(
        state,
        source=State.PREPARED,
        target=State.OPEN,
        duty="revenue.close.review",
        service="revenue.services.close.send_back",
        label="Send back",
    )
    def send_back(self) -> None:
        """The reviewer wants something changed; the preparer's signature falls."""

    @transition(
        state,
        source=State.PREPARED,
        target=State.LOCKED,
        duty="revenue.close.review",
        service="revenue.services.close.lock",
        label="Sign and lock",
    )
    def lock(self) -> None:
        """A second person agrees; nothing posts to the period any more."""

    @transition(
        state,
        source=State.LOCKED,
        target=State.REOPENING,
        duty="revenue.close.ask_reopen",
        service="revenue.services.close.ask_reopen",
        label="Ask to reopen",
    )
    def ask_reopen(self) -> None:
        """State why the closed period must take a posting; a second person decides."""

    @transition(
        state,
        source=State.REOPENING,
        target=State.LOCKED,
        duty="revenue.close.reopen",
        service="revenue.services.close.keep_locked",
        label="Keep it locked",
    )
    def keep_locked(self) -> None:
        """The correction belongs in the open period."""

    @transition(
        state,
        source=State.REOPENING,
        target=State.REOPENED,
        duty="revenue.close.reopen",
        service="revenue.services.close.reopen",
        label="Reopen the period",
    )
    def reopen(self) -> None:
        """The period is open again and its signatures are void; it has to be closed anew."""


class TieOut(AppendOnly):
    """The answer of one checklist query at one attempt.

    `difference` is the sum of the rows' differences by size, so that two errors that cancel each
    other still show. `listing` keeps the first rows that differ; `query_digest` says which text of
    the query gave the answer.
    """

    close = models.ForeignKey(CloseRun, models.PROTECT, related_name="tie_outs", db_index=False)
    attempt = models.PositiveIntegerField()
    code = models.CharField(max_length=40)
    expected = AmountField()
    actual = AmountField()
    difference = AmountField()
    rows = models.PositiveIntegerField(help_text="How many things were compared")
    differing = models.PositiveIntegerField()
    listing = models.JSONField(default=list)
    query_digest = models.CharField(max_length=64)
    figures_digest = models.CharField(max_length=64, help_text="What an explanation is bound to")

    class Meta:
        ordering = ["close", "code", "-attempt"]
        constraints = [
            models.UniqueConstraint(fields=["close", "code", "attempt"], name="tied_out_once_an_attempt"),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.difference}"

    @property
    def agrees(self) -> bool:
        return self.differing == 0


class Explanation(AppendOnly):
    """A person's reason for a difference, bound to its figures: other figures need another reason."""

    close = models.ForeignKey(CloseRun, models.PROTECT, related_name="explanations")
    code = models.CharField(max_length=40)
    figures_digest = models.CharField(max_length=64)
    reason = models.TextField()
    explained_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["close", "code", "-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="explanation_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.reason[:60]}"
