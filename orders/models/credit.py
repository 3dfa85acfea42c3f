"""Credit: what a customer may owe, who let an order through all the same, and what the gate saw."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from o2c.money import AmountField
from o2c.records import AppendOnly


class CreditLimit(AppendOnly):
    """What a customer may owe us from this decision on, until the next one about the same customer.

    An empty amount means that credit is not checked. A row without a customer is the standard of a currency,
    for customers about whom nobody decided. `shipped` rows, the standards among them, come with the product:
    only the owner of the tables writes them.
    """

    customer = models.ForeignKey(
        "orders.Customer", on_delete=models.PROTECT, null=True, blank=True, related_name="credit_limits"
    )
    currency = models.CharField(
        max_length=3, blank=True, default="", help_text="of a standard; a customer's limit is in its currency"
    )
    amount = AmountField(null=True, blank=True, help_text="empty: credit is not checked")
    held = models.BooleanField(default=False, help_text="no order becomes active without a release")
    review_on = models.DateField(null=True, blank=True)
    reason = models.TextField()
    shipped = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["customer", "-id"], name="orders_creditlimit_latest"),
            models.Index(
                fields=["currency"], name="orders_creditlimit_standard", condition=Q(customer__isnull=True)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(customer__isnull=False, currency="")
                | Q(
                    customer__isnull=True,
                    currency__regex=r"^[A-Z]{3}$",
                    amount__isnull=False,
                    held=False,
                    shipped=True,
                ),
                name="orders_creditlimit_of_one",
                violation_error_message="A limit is a customer's, or the standard of a currency.",
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(amount__gte=0),
                name="orders_creditlimit_not_negative",
                violation_error_message="A credit limit is not negative.",
            ),
            models.CheckConstraint(
                condition=~Q(reason=""),
                name="orders_creditlimit_says_why",
                violation_error_message="A credit decision says why.",
            ),
        ]

    def __str__(self) -> str:
        limit = "not checked" if self.amount is None else f"{self.amount} {self.currency}".strip()
        return f"{limit}, on hold" if self.held else limit


class CreditRelease(AppendOnly):
    """An order let through although its customer is over the limit or on hold.

    It holds under the decision in view of which it was given, and while the customer's exposure stays within
    `covers`.
    """

    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, related_name="credit_releases")
    decision = models.ForeignKey(
        CreditLimit,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="in force when it was given; empty: nobody had decided",
    )
    exposure = AmountField(help_text="before the order went ahead")
    covers = AmountField(help_text="exposure up to which the order goes ahead")
    reason = models.TextField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["order", "-id"], name="orders_creditrelease_latest")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(reason=""),
                name="orders_creditrelease_says_why",
                violation_error_message="A release says why.",
            ),
        ]

    def __str__(self) -> str:
        return f"Release of {self.order} up to {self.covers}"


class CreditCheck(AppendOnly):
    """What the gate saw when an order became active, or an amendment that adds value was applied.

    `value` is the committed value of the order from then on; exposure counts it until it is billed.
    """

    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, related_name="credit_checks")
    amendment = models.OneToOneField(
        "orders.Amendment", on_delete=models.PROTECT, null=True, blank=True, related_name="credit_check"
    )
    decision = models.ForeignKey(
        CreditLimit, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    value = AmountField(help_text="committed value of the order")
    exposure = AmountField(help_text="before the order went ahead")
    added = AmountField(help_text="by what went ahead together")
    release = models.ForeignKey(
        CreditRelease, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order"], condition=Q(amendment__isnull=True), name="orders_creditcheck_once"
            ),
        ]

    def __str__(self) -> str:
        return f"Credit check of {self.order}"
