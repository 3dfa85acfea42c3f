"""A bill run: a controlled batch that turns what should have been billed into invoices."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from o2c.access.models import User
from o2c.ledger.models import LegalEntity
from o2c.money import AmountField, CurrencyField
from o2c.records import Record
from o2c.states import Condition, StateField, StateMachine, transition
from orders.models import Customer


def _no_open_finding(run: BillRun) -> bool:
    return not run.findings.filter(acknowledged_at__isnull=True).exclude(severity="info").exists()


def _recalculated(run: BillRun) -> bool:
    return not run.chunks.exclude(differences=0).exists()


def _no_blocker(run: BillRun) -> bool:
    return not run.findings.filter(severity="blocker").exists()


class BillRun(StateMachine, Record):
    """One run over a population: everything of `entity` (and `currency`) due up to `through`.

    A run of the kind threshold bills the usage of open periods instead, where it reached a threshold.

    `through` is exclusive: service before it is billed. `totals` holds the conservation figures per
    currency: expected (engine), drafted (invoices), posted; the three must agree. `digest` is the
    SHA-256 of the drafts as calculated; release and post refuse drafts that differ from it.
    """

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        CALCULATED = "calculated", "Calculated"
        RELEASED = "released", "Released"
        POSTING = "posting", "Posting"
        POSTED = "posted", "Posted"
        CANCELLED = "cancelled", "Cancelled"

    class Kind(models.TextChoices):
        REGULAR = "regular", "Everything due"
        THRESHOLD = "threshold", "Usage that reached a threshold"

    number = models.CharField(max_length=20, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.REGULAR)
    entity = models.ForeignKey(LegalEntity, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    currency = CurrencyField(blank=True, help_text="Empty: every currency")
    through = models.DateField(help_text="Bills service before this date")
    issue_on = models.DateField(help_text="Date of the invoices and of their journals")
    state = StateField(choices=State.choices, default=State.PLANNED)
    planned_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    calculated_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    calculated_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    released_at = models.DateTimeField(null=True, blank=True)
    posted_at = models.DateTimeField(null=True, blank=True)
    totals = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    digest = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                name="billing_billrun_released_by_second_person",
                condition=Q(released_by__isnull=True)
                | (Q(calculated_by__isnull=False) & ~Q(released_by=F("calculated_by"))),
                violation_error_message="Somebody other than who calculated the run releases it.",
            ),
            models.CheckConstraint(
                name="billing_billrun_released_is_signed",
                condition=Q(state__in=["planned", "calculated", "cancelled"]) | Q(released_by__isnull=False),
                violation_error_message="A released run names who released it.",
            ),
        ]

    class Guards:
        signatures = ["planned_by", "calculated_by", "released_by"]
        no_delete = True
        immutable = ["number", "kind", "entity", "currency", "through", "planned_by"]
        frozen_when = {"field": "state", "values": ["posted", "cancelled"]}

    def __str__(self) -> str:
        return self.number

    @transition(
        state,
        source=State.PLANNED,
        target=State.CALCULATED,
        duty="billing.run.calculate",
        service="billing.services.run_jobs.calculate",
        label="Calculate",
    )
    def calculate(self) -> None:
        """Draft the invoices of everything due, with findings for review."""

    @transition(
        state,
        source=State.CALCULATED,
        target=State.PLANNED,
        duty="billing.run.recalculate",
        service="billing.services.runs.reopen",
        label="Discard drafts",
    )
    def reopen(self) -> None:
        """Throw the drafts away, so that the run can be calculated again."""

    @transition(
        state,
        source=State.CALCULATED,
        target=State.RELEASED,
        duty="billing.run.release",
        service="billing.services.runs.release",
        label="Release",
        conditions=[
            Condition(_recalculated, "the second calculator does not agree with every draft"),
            Condition(_no_blocker, "a finding blocks the run: cure it and calculate again"),
            Condition(_no_open_finding, "findings wait for acknowledgement"),
        ],
    )
    def release(self) -> None:
        """Say, as a second person, that these drafts may become invoices."""

    @transition(
        state,
        source=State.RELEASED,
        target=State.POSTING,
        duty="billing.run.post",
        service="billing.services.run_jobs.post",
        label="Post",
    )
    def start_posting(self) -> None:
        """Number the invoices and post their journals, chunk by chunk."""

    @transition(
        state,
        source=State.POSTING,
        target=State.POSTED,
        duty="billing.run.finish",
        label="Finish",
    )
    def finish(self) -> None:
        """Every draft is posted and the totals agree."""

    @transition(
        state,
        source=[State.PLANNED, State.CALCULATED, State.RELEASED],
        target=State.CANCELLED,
        duty="billing.run.cancel",
        service="billing.services.runs.cancel",
        label="Cancel",
    )
    def cancel(self) -> None:
        """Give the run up; its drafts are deleted, nothing was issued."""


class BillRunChunk(Record):
    """Some customers of a run, calculated in one transaction; the unit of resumption and of progress."""

    run = models.ForeignKey(BillRun, on_delete=models.PROTECT, related_name="chunks")
    sequence = models.PositiveIntegerField()
    customer_ids = models.JSONField(default=list)
    calculated_at = models.DateTimeField(null=True, blank=True)
    expected = models.JSONField(default=dict, help_text="Net of the engine's differences, per currency")
    drafted = models.JSONField(default=dict, help_text="Net of the draft lines, per currency")
    recalculated = models.JSONField(default=dict, help_text="Net of the second calculator, per currency")
    differences = models.PositiveIntegerField(
        null=True, blank=True, help_text="Charges that the two calculators disagree on; empty: not compared"
    )

    class Meta:
        ordering = ["run", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["run", "sequence"], name="billing_billrunchunk_once"),
        ]

    class Guards:
        child_of = ("run", "state", ["planned", "calculated", "released"])

    def __str__(self) -> str:
        return f"{self.run} chunk {self.sequence}"


class BillRunFinding(Record):
    """Something that a person should look at before the run is released."""

    class Severity(models.TextChoices):
        INFO = "info", "For information"
        WARNING = "warning", "Warning"
        BLOCKER = "blocker", "Blocks the run"

    run = models.ForeignKey(BillRun, on_delete=models.CASCADE, related_name="findings")
    code = models.CharField(max_length=40, help_text="Such as zero_invoice or missing_tax_rate")
    severity = models.CharField(max_length=10, choices=Severity.choices)
    customer = models.ForeignKey(Customer, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    invoice = models.ForeignKey(
        "billing.Invoice", null=True, blank=True, on_delete=models.CASCADE, related_name="findings"
    )
    message = models.CharField(max_length=500)
    currency = CurrencyField(blank=True)
    amount = AmountField(null=True, blank=True, help_text="What is at stake")
    working = models.JSONField(
        default=dict,
        blank=True,
        help_text="Of a disagreement: both calculators' steps, and the first that differs",
    )
    acknowledged_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledgement = models.CharField(max_length=300, blank=True, help_text="Why it is all right")

    class Guards:
        signatures = ["acknowledged_by"]

    class Meta:
        ordering = ["run", "-severity", "code", "pk"]
        indexes = [models.Index(fields=["run", "severity"], name="billing_finding_run")]
        constraints = [
            models.CheckConstraint(
                name="billing_finding_acknowledged_by_somebody",
                condition=Q(acknowledged_at__isnull=True, acknowledged_by__isnull=True)
                | Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False),
            ),
            models.CheckConstraint(
                name="billing_finding_blocker_stays",
                condition=~Q(severity="blocker") | Q(acknowledged_at__isnull=True),
                violation_error_message="A blocker is cured, not acknowledged.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
