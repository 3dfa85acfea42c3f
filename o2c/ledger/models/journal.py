"""Journals and their lines: append-only, balanced at commit, never in a closed period."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import RawSQL

from o2c.ledger.models.account import Account
from o2c.ledger.models.entity import LegalEntity
from o2c.ledger.models.period import AccountingPeriod
from o2c.money import AmountField, CurrencyField
from o2c.records import AppendOnly


class Journal(AppendOnly):
    """One business event under one posting rule, in one entity and one currency.

    `effective_date` is when the event happened; `posting_date` the day in whose period it is booked.
    Unique on (event_key, rule, period): the same event cannot be booked twice.
    """

    entity = models.ForeignKey(LegalEntity, models.PROTECT, related_name="+")
    period = models.ForeignKey(AccountingPeriod, models.PROTECT, related_name="journals")
    currency = CurrencyField(help_text="Transaction currency")
    posting_date = models.DateField()
    effective_date = models.DateField()
    event_key = models.CharField(max_length=80, help_text="app.model:id of the event")
    rule = models.CharField(max_length=60, help_text="The posting rule, as declared in postings.py")
    source = models.CharField(max_length=80, help_text="app.model:id of the document")
    memo = models.CharField(max_length=200, blank=True)
    txid = models.BigIntegerField(
        db_default=RawSQL("(pg_current_xact_id()::text::bigint)", ()), editable=False
    )

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["event_key", "rule", "period"], name="event_posts_once")
        ]
        indexes = [
            models.Index(fields=["period", "posting_date"], name="journal_by_period"),
            models.Index(fields=["source"], name="journal_by_source"),
        ]

    def __str__(self) -> str:
        return f"Journal {self.pk} {self.rule}"


class JournalLine(models.Model):
    """A debit or a credit, in the journal's currency and in the entity's functional currency.

    A line without a transaction amount carries an exchange difference.
    """

    journal = models.ForeignKey(Journal, models.PROTECT, related_name="lines")
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    debit = AmountField(default=0)
    credit = AmountField(default=0)
    functional_debit = AmountField(default=0)
    functional_credit = AmountField(default=0)
    party_id = models.BigIntegerField(null=True, help_text="The customer, for sub-ledgers")
    reference = models.CharField(max_length=60, blank=True, help_text="What the line is about")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(debit__gte=0, credit__gte=0)
                & (Q(debit=0) | Q(credit=0))
                & Q(functional_debit__gte=0, functional_credit__gte=0)
                & (Q(functional_debit=0) | Q(functional_credit=0)),
                name="line_has_one_side",
            ),
            models.CheckConstraint(
                condition=~Q(debit=F("credit"), functional_debit=F("functional_credit")),
                name="line_has_an_amount",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "reference"], name="line_by_reference"),
            models.Index(fields=["account", "party_id"], name="line_by_party"),
        ]

    class Guards:
        append_only = True

    def __str__(self) -> str:
        return f"Line {self.pk}"
