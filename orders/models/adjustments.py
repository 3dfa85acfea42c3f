"""What one customer pays differently from the price list: overrides by agreement, and coupons."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from o2c.money import CurrencyField, RateField
from o2c.records import AppendOnly, Record
from o2c.states import StateField, StateMachine, transition


class PriceAdjustment(StateMachine, Record):
    """An override for a customer, or for one order of theirs: on a SKU, a product, or everything.

    `method` says what `value` is: a factor, a percentage, an amount per billing period; a replacement has a
    `spec` instead. `dimensions` narrows it to usage with these values. In which order several apply is stated
    in billing/domain/adjustments.py. Whoever drafted it does not activate it.
    """

    class Method(models.TextChoices):
        REPLACE = "replace", "Another price"
        MULTIPLY = "multiply", "Times a factor"
        PERCENT_OFF = "percent_off", "Percent off"
        AMOUNT_OFF = "amount_off", "Amount off a billing period"

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "Active"
        WITHDRAWN = "withdrawn", "Withdrawn"

    customer = models.ForeignKey("orders.Customer", on_delete=models.PROTECT, related_name="adjustments")
    order = models.ForeignKey(
        "orders.Order",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="adjustments",
        help_text="empty: every order of the customer",
    )
    product = models.ForeignKey(
        "orders.Product", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    sku = models.ForeignKey("orders.Sku", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    dimensions = models.JSONField(default=dict, blank=True, help_text='{"model": "gpt-4o"}; empty: all usage')
    method = models.CharField(max_length=12, choices=Method.choices)
    value = RateField(null=True, blank=True)
    spec = models.JSONField(null=True, blank=True, help_text="of a replacement (orders/domain/price_spec.py)")
    currency = CurrencyField(blank=True, default="", help_text="of an amount or a replacement")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True, help_text="exclusive; empty: until it is ended")
    state = StateField(choices=State.choices, default=State.DRAFT)
    reason = models.TextField(help_text="why this customer pays something else")
    drafted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(method="replace", spec__isnull=False, value__isnull=True)
                | ~Q(method="replace") & Q(spec__isnull=True, value__isnull=False),
                name="orders_priceadjustment_says_what",
                violation_error_message="A replacement has a price, everything else a value.",
            ),
            models.CheckConstraint(
                condition=~Q(method="percent_off") | Q(value__gt=0, value__lte=100),
                name="orders_priceadjustment_percent",
                violation_error_message="A discount is above 0 and at most 100 %.",
            ),
            models.CheckConstraint(
                condition=Q(value__isnull=True) | Q(value__gte=0),
                name="orders_priceadjustment_value",
                violation_error_message="A factor or an amount is not negative.",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gte=F("starts_on")),
                name="orders_priceadjustment_dates",
                violation_error_message="An override ends after it begins.",
            ),
            models.CheckConstraint(
                condition=Q(product__isnull=True) | Q(sku__isnull=True),
                name="orders_priceadjustment_scope",
                violation_error_message="Name a SKU or a product, not both.",
            ),
            models.CheckConstraint(
                condition=~Q(method="replace") | Q(sku__isnull=False),
                name="orders_priceadjustment_replaces_a_sku",
                violation_error_message="Another price is that of one SKU.",
            ),
            models.CheckConstraint(
                condition=~Q(state="active") | Q(activated_by__isnull=False),
                name="orders_priceadjustment_activated_by_someone",
            ),
            models.CheckConstraint(
                condition=Q(activated_by__isnull=True) | ~Q(activated_by=F("drafted_by")),
                name="orders_priceadjustment_maker_is_not_checker",
                violation_error_message="Who drafted an override does not activate it.",
            ),
        ]

    class Guards:
        signatures = ["drafted_by", "activated_by"]
        immutable = ["customer", "order", "product", "sku", "dimensions", "method", "drafted_by"]
        frozen_when = {
            "field": "state",
            "values": ["active", "withdrawn"],
            "except_": ["state", "ends_on"],
        }
        no_delete = True

    def __str__(self) -> str:
        return f"override {self.pk}"

    @transition(
        state,
        source=State.DRAFT,
        target=State.ACTIVE,
        duty="orders.adjustment.activate",
        service="orders.services.adjustments.activate",
        label="Activate",
    )
    def activate(self) -> None:
        """It holds from its first day on; what was billed otherwise is corrected by the next run."""

    @transition(
        state,
        source=State.DRAFT,
        target=State.WITHDRAWN,
        duty="orders.adjustment.draft",
        service="orders.services.adjustments.withdraw",
        label="Withdraw",
    )
    def withdraw(self) -> None:
        """It was not agreed."""


class Coupon(Record):
    """A code that takes a percentage or an amount off a line, for some billing periods or for ever."""

    class Method(models.TextChoices):
        PERCENT_OFF = "percent_off", "Percent off"
        AMOUNT_OFF = "amount_off", "Amount off a billing period"

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=200, blank=True, default="")
    method = models.CharField(max_length=12, choices=Method.choices)
    value = RateField()
    currency = CurrencyField(blank=True, default="", help_text="of an amount")
    sku = models.ForeignKey(
        "orders.Sku",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="empty: any",
    )
    periods = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="billing periods that it holds for: 1 is once; empty: for ever"
    )
    redeem_from = models.DateField(null=True, blank=True)
    redeem_until = models.DateField(null=True, blank=True, help_text="last day to redeem it")
    max_redemptions = models.PositiveIntegerField(null=True, blank=True, help_text="empty: without limit")
    active = models.BooleanField(default=True, help_text="may be redeemed; what was redeemed holds on")

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(value__gt=0) & (~Q(method="percent_off") | Q(value__lte=100)),
                name="orders_coupon_value",
                violation_error_message="A coupon takes something off, and at most 100 %.",
            ),
            models.CheckConstraint(
                condition=Q(method="amount_off") & ~Q(currency="") | Q(method="percent_off", currency=""),
                name="orders_coupon_currency",
                violation_error_message="An amount has a currency, a percentage has none.",
            ),
            models.CheckConstraint(
                condition=Q(periods__isnull=True) | Q(periods__gt=0), name="orders_coupon_periods"
            ),
        ]

    class Guards:
        immutable = ["code", "method", "value", "currency", "sku", "periods"]
        no_delete = True

    def __str__(self) -> str:
        return self.code


class Redemption(AppendOnly):
    """That a coupon was redeemed on a line. It holds from the first billing period that begins on that day or
    later, at the earliest from the first day of the line.
    """

    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="redemptions")
    sequence = models.PositiveIntegerField(help_text="1, 2, 3 … within the coupon")
    line = models.ForeignKey("orders.OrderLine", on_delete=models.PROTECT, related_name="redemptions")
    redeemed_on = models.DateField()

    class Meta:
        ordering = ["coupon_id", "sequence"]
        constraints = [
            models.UniqueConstraint(
                fields=["coupon", "sequence"],
                name="orders_redemption_counted",
                violation_error_message="Somebody else redeemed the coupon at the same time.",
            ),
            models.UniqueConstraint(
                fields=["coupon", "line"],
                name="orders_redemption_once_a_line",
                violation_error_message="The coupon was redeemed on this line already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.coupon.code} #{self.sequence}"
