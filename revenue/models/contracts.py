"""Contracts as the standard sees them: versions, obligations, allocation, schedules (606 steps 1-5)."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Q

from o2c.ledger.models import LegalEntity
from o2c.money import AmountField, CurrencyField, RateField
from o2c.records import AppendOnly, Record
from orders.models import Customer, Order, OrderLine, ranges


class RevenueContract(Record):
    """One order as a revenue contract. `version` numbers the version that the schedules follow.

    `transaction_price` is the fixed consideration of that version; usage and service without a fixed
    term are variable and belong to their own obligation (606-10-32-40). `reallocates` says that some
    obligation was allocated another price than its lines state.
    """

    order = models.OneToOneField(Order, models.PROTECT, related_name="revenue_contract")
    entity = models.ForeignKey(LegalEntity, models.PROTECT, related_name="+")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="revenue_contracts")
    currency = CurrencyField()
    version = models.PositiveIntegerField(default=0, help_text="Number of the current version")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True, help_text="Exclusive; empty: without fixed term")
    transaction_price = AmountField(default=0, help_text="Fixed consideration of the current version")
    reallocates = models.BooleanField(default=False, help_text="Allocated prices differ from stated ones")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["entity", "id"], name="contract_by_entity")]

    class Guards:
        immutable = ["order", "entity", "customer", "currency"]
        no_delete = True

    def __str__(self) -> str:
        return f"RC-{self.order.number}" if self.order_id else "contract"


class ContractVersion(AppendOnly):
    """What was known of a contract from one event on. Never updated: the next event is a new version.

    `effective_on` is when the change counts; when it is posted is decided by the open period.
    `digest` is the sha256 of timeline and credits that it was computed from.
    """

    class Cause(models.TextChoices):
        ACTIVATED = "activated", "Activated"
        AMENDED = "amended", "Amended"
        CANCELLED = "cancelled", "Cancelled"
        CREDITED = "credited", "Price adjusted"
        CORRECTED = "corrected", "Recomputed"
        JUDGED = "judged", "Treatment judged"

    contract = models.ForeignKey(RevenueContract, models.PROTECT, related_name="versions", db_index=False)
    number = models.PositiveIntegerField()
    effective_on = models.DateField()
    cause = models.CharField(max_length=10, choices=Cause.choices)
    source = models.CharField(max_length=80, help_text="app.model:id of the event behind it")
    transaction_price = AmountField()
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["contract", "number"]
        constraints = [
            models.UniqueConstraint(fields=["contract", "number"], name="version_numbered_once"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class Obligation(Record):
    """A promise to a customer: one order line.

    `basis` fixed: the allocated price is earned along a schedule; drawdown: as the prepayment is used
    up; charged: revenue is what is charged for the service given (usage, and service without a fixed
    term), invoiced or not.
    `balance_account` is where it stands against invoices: contract liability when billed in advance,
    unbilled receivable when billed in arrears.
    """

    class Treatment(models.TextChoices):
        RATABLE_DAILY = "ratable_daily", "Ratable by day"
        USAGE = "usage", "As used"
        POINT_IN_TIME = "point_in_time", "Point in time"
        PREPAID_DRAWDOWN = "prepaid_drawdown", "As drawn down"

    class Basis(models.TextChoices):
        FIXED = "fixed", "Allocated price, by schedule"
        DRAWDOWN = "drawdown", "Allocated price, as it is drawn down"
        CHARGED = "charged", "As charged"

    contract = models.ForeignKey(RevenueContract, models.PROTECT, related_name="obligations")
    order_line = models.OneToOneField(OrderLine, models.PROTECT, related_name="obligation")
    description = models.CharField(max_length=300)
    treatment = models.CharField(max_length=20, choices=Treatment.choices)
    basis = models.CharField(max_length=8, choices=Basis.choices)
    balance_account = models.CharField(max_length=10)
    revenue_account = models.CharField(max_length=10)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True, help_text="Exclusive")
    stated = AmountField(default=0, help_text="What the lines of the order charge, whole term, net")
    ssp = AmountField(default=0, help_text="Stand-alone selling price, whole term")
    allocated = AmountField(default=0, help_text="Share of the transaction price, credits included")

    class Meta:
        ordering = ["contract", "id"]

    class Guards:
        immutable = ["contract", "order_line"]
        no_delete = True

    def __str__(self) -> str:
        return self.description


class Allocation(AppendOnly):
    """The price given to one obligation by one version, how it was found, and the service it is for.

    `price` is the share of the fixed price by SSP; `credit` what later credits took off this
    obligation alone. `bands` are [from, to, quantity] of the promised service.
    """

    version = models.ForeignKey(ContractVersion, models.PROTECT, related_name="allocations")
    obligation = models.ForeignKey(Obligation, models.PROTECT, related_name="allocations")
    stated = AmountField()
    ssp = AmountField()
    ssp_method = models.CharField(max_length=20)
    ssp_entries = models.JSONField(default=list, help_text="ids of the SSP entries behind it")
    price = AmountField()
    credit = AmountField(default=0)
    treatment = models.CharField(max_length=12)
    rule = models.CharField(max_length=120)
    bands = models.JSONField(default=list)

    class Meta:
        ordering = ["version", "obligation"]
        constraints = [
            models.UniqueConstraint(fields=["version", "obligation"], name="allocated_once_a_version"),
        ]

    def __str__(self) -> str:
        return f"{self.obligation_id}: {self.price}"


class ScheduleSlice(AppendOnly):
    """Revenue that a version plans for one obligation and month: the whole schedule, past included.

    The slices of the current version are the plan; those of older versions say what was known then.
    """

    class Kind(models.TextChoices):
        REVENUE = "revenue", "Revenue"
        CREDIT = "credit", "Credit"

    version = models.ForeignKey(ContractVersion, models.PROTECT, related_name="slices", db_index=False)
    obligation = models.ForeignKey(Obligation, models.PROTECT, related_name="slices", db_index=False)
    month = models.DateField(help_text="First day of the month")
    kind = models.CharField(max_length=7, choices=Kind.choices, default=Kind.REVENUE)
    amount = AmountField()

    class Meta:
        ordering = ["version", "obligation", "month"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "obligation", "kind", "month"], name="planned_once_a_month"
            ),
            models.CheckConstraint(condition=Q(month__day=1), name="slice_month_is_first_day"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.amount}"


class SspEntry(Record):
    """A stand-alone selling price: what one unit of a SKU sells for by itself, from a dated study.

    `low` and `high` bound the range in which it sells. Without an approved entry the list price in
    force when the order was signed stands in: a price that is observable (606-10-32-32).
    """

    class Method(models.TextChoices):
        OBSERVED = "observed", "Observed sales"
        MARKET = "market", "Adjusted market assessment"
        COST_PLUS = "cost_plus", "Expected cost plus a margin"
        RESIDUAL = "residual", "Residual"

    class Per(models.TextChoices):
        MONTH = "month", "Unit and month"
        YEAR = "year", "Unit and year"
        ONCE = "once", "Unit"

    sku = models.ForeignKey("orders.Sku", models.PROTECT, related_name="ssp_entries")
    currency = CurrencyField()
    unit_amount = RateField()
    per = models.CharField(max_length=5, choices=Per.choices, default=Per.MONTH)
    low = AmountField(null=True, blank=True)
    high = AmountField(null=True, blank=True)
    method = models.CharField(max_length=10, choices=Method.choices, default=Method.OBSERVED)
    evidence = models.CharField(max_length=300, help_text="The study: where it is and what it covers")
    effective_from = models.DateField()
    effective_to = models.DateField(null=True, blank=True, help_text="Exclusive")
    proposed_by = models.ForeignKey("access.User", models.PROTECT, related_name="+")
    approved_by = models.ForeignKey("access.User", models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["sku_id", "currency", "effective_from"]
        verbose_name = "stand-alone selling price"
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("proposed_by")),
                name="ssp_approved_by_second_person",
                violation_error_message="Who proposed the price does not approve it.",
            ),
            models.CheckConstraint(
                condition=Q(effective_to__isnull=True) | Q(effective_to__gt=F("effective_from")),
                name="ssp_dates",
            ),
            models.CheckConstraint(condition=Q(unit_amount__gte=0), name="ssp_not_negative"),
            ExclusionConstraint(
                name="ssp_no_overlap",
                expressions=[
                    ranges.same("sku"),
                    *ranges.same_letters("currency", 3),
                    ranges.dates("effective_from", "effective_to"),
                ],
                condition=Q(approved_by__isnull=False),
                violation_error_message="Another approved price of the SKU covers some of these days.",
            ),
        ]

    class Guards:
        signatures = ["proposed_by", "approved_by"]
        immutable = ["sku", "currency", "unit_amount", "per", "effective_from", "proposed_by"]
        no_delete = True

    def __str__(self) -> str:
        return f"{self.sku_id} {self.unit_amount} {self.currency} from {self.effective_from}"
