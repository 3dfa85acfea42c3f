"""What we sell: meters, products, SKUs and the effective-dated list prices of the SKUs."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Q

from o2c.money import CurrencyField
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition
from orders.models import ranges


class Meter(Record):
    """How metered events become a quantity: which events, which value of them, and how they add up."""

    class Aggregation(models.TextChoices):
        SUM = "sum", "Sum"
        COUNT = "count", "Count"
        UNIQUE = "unique", "Unique values"
        MAX = "max", "Maximum"
        LATEST = "latest", "Latest"
        WEIGHTED = "weighted", "Weighted by time"

    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    unit = models.CharField(max_length=40, help_text='"token", "request", "GB-hour"')
    aggregation = models.CharField(max_length=20, choices=Aggregation.choices, default=Aggregation.SUM)
    event_type = models.CharField(max_length=100, help_text="events of this type feed the meter")
    value_property = models.CharField(
        max_length=100, blank=True, default="", help_text="not needed for count"
    )
    dimensions = models.JSONField(
        default=list, blank=True, help_text='event properties kept apart, ["model"]'
    )
    filters = models.JSONField(
        default=dict,
        blank=True,
        help_text='only events with these values count, {"token_kind": ["output"]}; empty: all',
    )

    class Meta:
        ordering = ["code"]

    class Guards:
        immutable = ["code", "aggregation", "event_type", "value_property", "filters"]

    def __str__(self) -> str:
        return self.code


class Product(Record):
    """A family of SKUs that a customer knows by one name."""

    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    family = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        ordering = ["code"]

    class Guards:
        immutable = ["code"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class Sku(Record):
    """A thing that can stand on an order line.

    An order can't activate while a SKU on it lacks its meter (usage), its revenue treatment or its GL
    segment.
    """

    class Kind(models.TextChoices):
        RECURRING = "recurring", "Recurring"
        USAGE = "usage", "Usage"
        ONE_TIME = "one_time", "One-time"
        PREPAID = "prepaid", "Prepaid commitment"

    class Treatment(models.TextChoices):
        RATABLE_DAILY = "ratable_daily", "Ratable by day"
        USAGE = "usage", "As used"
        POINT_IN_TIME = "point_in_time", "Point in time"
        PREPAID_DRAWDOWN = "prepaid_drawdown", "As the prepayment is drawn down"

    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="skus")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    unit = models.CharField(max_length=40, default="unit", help_text='"seat", "token", "project"')
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, null=True, blank=True, related_name="skus")
    revenue_treatment = models.CharField(max_length=30, choices=Treatment.choices, blank=True, default="")
    gl_segment = models.CharField(max_length=40, blank=True, default="", help_text="segment of the GL export")
    cost_percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="what giving the service costs us, in percent of the list price; empty: not known",
    )
    tax_category = models.CharField(max_length=40, default="saas")
    provisioned = models.BooleanField(
        default=True, help_text="an entitlement follows an active line of this SKU"
    )
    active = models.BooleanField(default=True, help_text="may be put on new quotes and orders")

    class Meta:
        ordering = ["code"]
        verbose_name = "SKU"
        verbose_name_plural = "SKUs"
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="usage") | Q(revenue_treatment__in=["", "usage", "prepaid_drawdown"]),
                name="orders_sku_usage_treatment",
                violation_error_message="Usage is recognised as used, or as a prepayment is drawn down.",
            ),
            models.CheckConstraint(
                condition=Q(cost_percent__isnull=True) | Q(cost_percent__gte=0, cost_percent__lte=100),
                name="orders_sku_cost_percent",
                violation_error_message="The cost is between 0 and 100 percent of the list price.",
            ),
        ]

    class Guards:
        immutable = ["code", "kind"]
        no_delete = True

    def __str__(self) -> str:
        return self.code


class Price(StateMachine, Record):
    """A list price of a SKU in one currency, valid on [effective_from, effective_to).

    `spec` holds the price model (see orders/domain/price_spec.py); every number in it is a decimal string.
    `period` says what a recurring amount pays for: 60.00 per "year" is 5.00 a month. Prices of other kinds
    are per unit or per occurrence and ignore it. Once active, a price never changes except for its end; a new
    price is a new version.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "Active"
        RETIRED = "retired", "Retired"

    class Interval(models.TextChoices):
        WEEK = "week", "Week"
        MONTH = "month", "Month"
        QUARTER = "quarter", "Quarter"
        HALF_YEAR = "half_year", "Half-year"
        YEAR = "year", "Year"

    sku = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="prices")
    currency = CurrencyField()
    spec = models.JSONField()
    period = models.CharField(max_length=10, choices=Interval.choices, default=Interval.MONTH)
    effective_from = models.DateField()
    effective_to = models.DateField(null=True, blank=True, help_text="exclusive; empty: until a successor")
    version = models.PositiveIntegerField(default=1)
    state = StateField(choices=State.choices, default=State.DRAFT)

    class Meta:
        ordering = ["sku_id", "currency", "effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["sku", "currency", "version"],
                name="orders_price_version",
                violation_error_message="This version of the price exists already.",
            ),
            models.CheckConstraint(
                condition=Q(effective_to__isnull=True) | Q(effective_to__gt=F("effective_from")),
                name="orders_price_dates",
                violation_error_message="A price ends after it begins.",
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="orders_price_currency"),
            ExclusionConstraint(
                name="orders_price_no_overlap",
                violation_error_message="Another active price is valid on some of these days.",
                expressions=[
                    ranges.same("sku"),
                    *ranges.same_letters("currency", 3),
                    ranges.dates("effective_from", "effective_to"),
                ],
                condition=Q(state="active"),
            ),
        ]

    class Guards:
        frozen_when = {
            "field": "state",
            "values": ["active", "retired"],
            "except_": ["effective_to", "state"],
        }
        immutable = ["sku", "currency", "version"]
        no_delete = True

    def __str__(self) -> str:
        return f"{self.sku.code} {self.currency} v{self.version}"

    @transition(
        state,
        source=State.DRAFT,
        target=State.ACTIVE,
        duty="orders.price.activate",
        service="orders.services.catalogue.activate_price",
        label="Activate",
    )
    def activate(self) -> None:
        """Make the price usable; an open-ended predecessor ends where this one begins."""

    @transition(
        state,
        source=[State.DRAFT, State.ACTIVE],
        target=State.RETIRED,
        duty="orders.price.retire",
        service="orders.services.catalogue.retire_price",
        label="Retire",
    )
    def retire(self) -> None:
        """Withdraw the price: no new segment may point at it; existing ones keep it."""
