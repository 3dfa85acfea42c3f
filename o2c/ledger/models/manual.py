"""Manual journals: what no sub-ledger knows, drafted by one person and approved by others (S32)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from o2c.access.models import User
from o2c.ledger.models.account import Account
from o2c.ledger.models.entity import LegalEntity
from o2c.money import AmountField, CurrencyField
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition


class ManualJournal(StateMachine, Record):
    """An entry by hand, in one entity and currency, with what supports it.

    It posts through the ledger's own door when its request is approved, and never changes afterwards; a
    correction is another entry.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        POSTED = "posted", "Posted"
        DROPPED = "dropped", "Dropped"

    entity = models.ForeignKey(LegalEntity, models.PROTECT, related_name="manual_journals")
    currency = CurrencyField()
    posting_date = models.DateField()
    memo = models.CharField(max_length=200)
    support = models.CharField(max_length=300, help_text="The evidence: what it is and where it is filed")
    state = StateField(choices=State.choices, default=State.DRAFT)
    prepared_by = models.ForeignKey(User, models.PROTECT, related_name="+", editable=False)
    posted_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=~Q(memo="") & ~Q(support=""),
                name="manual_journal_says_why",
                violation_error_message="A manual journal says what it is for and what supports it.",
            ),
            models.CheckConstraint(
                condition=~Q(state="posted")
                | (Q(posted_by__isnull=False) & ~Q(posted_by=models.F("prepared_by"))),
                name="manual_journal_posted_by_another",
                violation_error_message="Who prepared a manual journal does not post it.",
            ),
        ]

    class Guards:
        signatures = ["prepared_by", "posted_by"]
        no_delete = True
        immutable = ["prepared_by"]
        frozen_when = {"field": "state", "values": ["posted", "dropped"]}

    def __str__(self) -> str:
        return f"MJ-{self.pk:06d} {self.memo}" if self.pk else self.memo

    @transition(
        state,
        source=State.DRAFT,
        target=State.POSTED,
        duty="ledger.journal.post",
        service="o2c.ledger.manual.post",
        label="Post",
    )
    def post(self) -> None:
        """Booked, by somebody who did not prepare it."""

    @transition(
        state,
        source=State.DRAFT,
        target=State.DROPPED,
        duty="ledger.journal.prepare",
        service="o2c.ledger.manual.drop",
        label="Drop",
    )
    def drop(self) -> None:
        """Not needed after all; it stays on record."""


class ManualLine(Record):
    """One side of a manual journal."""

    journal = models.ForeignKey(ManualJournal, models.PROTECT, related_name="lines")
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    debit = AmountField(default=0)
    credit = AmountField(default=0)
    reference = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        ordering = ("journal", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(debit__gte=0, credit__gte=0)
                & (Q(debit=0) | Q(credit=0))
                & ~Q(debit=models.F("credit")),
                name="manual_line_has_one_side",
            )
        ]

    class Guards:
        child_of = ("journal", "state", ["draft"])

    def __str__(self) -> str:
        return f"{self.account_id} {self.debit} {self.credit}"
