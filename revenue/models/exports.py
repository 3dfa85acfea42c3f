"""What the general ledger gets: batches of journals, each sent once."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from o2c.documents.models import Document
from o2c.ledger.models import AccountingPeriod, Journal, LegalEntity
from o2c.money import AmountField, CurrencyField, RateField
from o2c.records import AppendOnly, Record
from o2c.states import StateField, StateMachine, transition


class GlExport(StateMachine, Record):
    """A file for the general ledger: the journals of one entity and period not exported before.

    `external_id` is the idempotency key on the other side: the same id never comes with another
    file. Control totals are in the entity's currency.
    """

    class Format(models.TextChoices):
        NETSUITE = "netsuite", "NetSuite CSV journal import"
        ORACLE = "oracle", "Oracle Fusion GL_INTERFACE (FBDI)"

    class State(models.TextChoices):
        BUILT = "built", "Built"
        SENT = "sent", "Sent"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        REJECTED = "rejected", "Rejected"

    external_id = models.CharField(max_length=40, unique=True)
    entity = models.ForeignKey(LegalEntity, models.PROTECT, related_name="+")
    period = models.ForeignKey(AccountingPeriod, models.PROTECT, related_name="gl_exports")
    sequence = models.PositiveIntegerField()
    format = models.CharField(max_length=10, choices=Format.choices)
    state = StateField(choices=State.choices, default=State.BUILT)
    journals = models.PositiveIntegerField()
    lines = models.PositiveIntegerField(help_text="Lines in the file, without its header")
    total_debit = AmountField(help_text="Functional currency")
    total_credit = AmountField(help_text="Functional currency")
    sha256 = models.CharField(max_length=64)
    document = models.ForeignKey(Document, models.PROTECT, related_name="+", db_index=False)
    acknowledged_lines = models.PositiveIntegerField(null=True, blank=True)
    acknowledged_debit = AmountField(null=True, blank=True)
    gl_reference = models.CharField(max_length=80, blank=True, default="")
    rejection = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]
        verbose_name = "GL export"
        constraints = [
            models.UniqueConstraint(fields=["period", "sequence"], name="export_numbered_once"),
            models.CheckConstraint(condition=Q(total_debit=F("total_credit")), name="export_balances"),
            models.CheckConstraint(
                condition=~Q(state="acknowledged")
                | Q(acknowledged_lines=F("lines"), acknowledged_debit=F("total_debit")),
                name="export_acknowledged_whole",
                violation_error_message="The ledger acknowledged other totals than were sent.",
            ),
        ]

    class Guards:
        immutable = [
            "external_id",
            "entity",
            "period",
            "sequence",
            "format",
            "journals",
            "lines",
            "total_debit",
            "total_credit",
            "sha256",
            "document",
        ]
        no_delete = True

    def __str__(self) -> str:
        return self.external_id

    @transition(
        state,
        source=[State.BUILT, State.REJECTED],
        target=State.SENT,
        duty="revenue.export.send",
        service="revenue.services.exports.mark_sent",
        label="Mark as sent",
    )
    def mark_sent(self) -> None:
        """The file was handed to the general ledger."""

    @transition(
        state,
        source=State.SENT,
        target=State.ACKNOWLEDGED,
        duty="revenue.export.acknowledge",
        label="Acknowledge",
    )
    def acknowledge(self) -> None:
        """The ledger took the whole file: same lines, same total."""

    @transition(
        state,
        source=State.SENT,
        target=State.REJECTED,
        duty="revenue.export.acknowledge",
        service="revenue.services.exports.reject",
        label="Rejected by the ledger",
    )
    def reject(self) -> None:
        """The ledger refused the file; the same file is sent again once the cause is gone."""


class GlExportJournal(AppendOnly):
    """One journal in one batch. A journal is in one batch and no other."""

    export = models.ForeignKey(GlExport, models.PROTECT, related_name="exported")
    journal = models.OneToOneField(Journal, models.PROTECT, related_name="gl_export")

    def __str__(self) -> str:
        return f"{self.export_id}: {self.journal_id}"


class GlExportLine(AppendOnly):
    """A line of the file: the journals of one day and rule, by account, segment and currency."""

    export = models.ForeignKey(GlExport, models.PROTECT, related_name="file_lines", db_index=False)
    position = models.PositiveIntegerField()
    group = models.CharField(max_length=100, help_text="The journal entry on the other side")
    posting_date = models.DateField()
    rule = models.CharField(max_length=60)
    account = models.CharField(max_length=10)
    segment = models.CharField(max_length=40, blank=True)
    currency = CurrencyField()
    debit = AmountField(default=0)
    credit = AmountField(default=0)
    functional_debit = AmountField(default=0)
    functional_credit = AmountField(default=0)
    rate = RateField(null=True)

    class Meta:
        ordering = ["export", "position"]
        constraints = [
            models.UniqueConstraint(fields=["export", "position"], name="export_line_position"),
        ]

    def __str__(self) -> str:
        return f"{self.position} {self.account}"
