"""What was posted: revenue slices and the adjustments of balances, facts that never change."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from o2c.ledger.models import AccountingPeriod, LegalEntity
from o2c.money import AmountField, CurrencyField
from o2c.records import AppendOnly
from revenue.models.contracts import ContractVersion, Obligation, RevenueContract


class RecognitionRun(AppendOnly):
    """One run over an entity's contracts for one period. A second run finds nothing left to do."""

    entity = models.ForeignKey(LegalEntity, models.PROTECT, related_name="+")
    period = models.ForeignKey(AccountingPeriod, models.PROTECT, related_name="recognition_runs")
    number = models.PositiveIntegerField(help_text="1, 2, 3 … within the period")
    catches_up_from = models.DateField(
        null=True, help_text="Months before this belong to an earlier period that is still open"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["period", "number"], name="recognition_run_numbered_once"),
        ]

    def __str__(self) -> str:
        return f"Recognition {self.period_id}-{self.number}"


class Recognition(AppendOnly):
    """Revenue of one obligation that belongs to `effective_month` and was posted in `period`.

    The difference between the two is a catch-up: the month keeps its figure, the open period takes
    the change. Revisions count the slices for the same key; their sum is what is recognised.
    `functional` is the amount in the entity's currency.
    """

    class Kind(models.TextChoices):
        REVENUE = "revenue", "Revenue"
        CREDIT = "credit", "Credit"
        BREAKAGE = "breakage", "Breakage"

    run = models.ForeignKey(RecognitionRun, models.PROTECT, related_name="recognitions", db_index=False)
    contract = models.ForeignKey(RevenueContract, models.PROTECT, related_name="recognitions")
    obligation = models.ForeignKey(Obligation, models.PROTECT, related_name="recognitions", db_index=False)
    version = models.ForeignKey(ContractVersion, models.PROTECT, null=True, related_name="+", db_index=False)
    period = models.ForeignKey(AccountingPeriod, models.PROTECT, related_name="recognitions")
    effective_month = models.DateField(help_text="First day of the month the revenue belongs to")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.REVENUE)
    revision = models.PositiveSmallIntegerField(default=0)
    amount = AmountField(help_text="Transaction currency; negative takes back")
    functional = AmountField(help_text="The entity's currency, as posted")
    balance_account = models.CharField(max_length=10)
    revenue_account = models.CharField(max_length=10)
    rule = models.CharField(max_length=60)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["obligation", "kind", "effective_month", "period", "revision"],
                name="recognised_once",
            ),
            models.CheckConstraint(condition=~Q(amount=0), name="recognition_is_not_zero"),
            models.CheckConstraint(
                condition=Q(effective_month__day=1), name="recognition_month_is_first_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.effective_month:%Y-%m} {self.amount}"

    @property
    def event_key(self) -> str:
        """The event key of the journal that it was posted with."""
        return f"revenue.recognitionrun:{self.run_id}:{self.contract_id}:{self.effective_month:%Y-%m}"

    @property
    def source(self) -> str:
        return f"revenue.revenuecontract:{self.contract_id}"


class Adjustment(AppendOnly):
    """A movement between balances of a contract that is no revenue.

    reallocation  billing attributed to the obligations as the price was allocated
    asset         debit of a contract shown as contract asset at the end of `period`, and its
                  reversal on the first day of the next
    settled       exchange difference of an asset that an invoice replaced
    remeasured    exchange difference of unbilled receivables at the closing rate
    swept         worth left on a balance that is zero in its own currency
    """

    class Kind(models.TextChoices):
        REALLOCATION = "reallocation", "Reallocation"
        ASSET = "asset", "Contract asset"
        SETTLED = "settled", "Exchange difference settled"
        REMEASURED = "remeasured", "Remeasured"
        SWEPT = "swept", "Exchange difference swept"

    run = models.ForeignKey(RecognitionRun, models.PROTECT, related_name="adjustments", db_index=False)
    contract = models.ForeignKey(RevenueContract, models.PROTECT, related_name="adjustments")
    obligation = models.ForeignKey(Obligation, models.PROTECT, related_name="adjustments")
    period = models.ForeignKey(AccountingPeriod, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    currency = CurrencyField()
    amount = AmountField(default=0, help_text="Into the obligation's balance (liability positive)")
    functional = AmountField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "obligation", "kind"], name="adjusted_once_a_run"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount}"
