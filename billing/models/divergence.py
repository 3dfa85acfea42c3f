"""Periods that are billed and would be billed otherwise today: what the nightly comparison found."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from billing.models.charge import Charge
from o2c.money import AmountField, CurrencyField
from o2c.records import Record
from orders.models import OrderLine, Segment


class Divergence(Record):
    """A billed period of a contract whose charge is no longer what was billed.

    `expected` is the charge engine's figure, `recalculated` the second calculator's; they are the same unless
    one of the two is wrong. The next bill run corrects what both expect; then the divergence is cleared. Late
    usage makes such rows in the ordinary course; anything else asks for a look before the next run.
    """

    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="divergences")
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=20, choices=Charge.Kind.choices)
    period_from = models.DateField(help_text="First day of the billing period")
    currency = CurrencyField()
    billed = AmountField()
    expected = AmountField(null=True, blank=True, help_text="Empty: the engine cannot charge the contract")
    recalculated = AmountField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True, default="")
    first_seen_on = models.DateField()
    seen_on = models.DateField()
    cleared_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["cleared_on", "-seen_on", "line_id", "period_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["line", "segment", "kind", "period_from"],
                condition=Q(cleared_on__isnull=True),
                name="billing_divergence_open_once",
            ),
        ]

    class Guards:
        immutable = ["line", "segment", "kind", "period_from", "currency", "first_seen_on"]
        no_delete = True

    def __str__(self) -> str:
        return f"{self.line.order} {self.line}, {self.get_kind_display().lower()} from {self.period_from}"
