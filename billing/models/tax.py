"""Tax rates by jurisdiction, dated. Loaded from a file by `manage.py load_tax_rates`."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Concat

from o2c.money import RateField
from o2c.records import Record
from orders.models import ranges


def _hash_range(*columns: str) -> Func:
    """Text columns as a one-point number range, which an exclusion constraint compares unaided."""
    parts = [part for column in columns for part in (F(column), Value("|"))]
    hashed = Func(
        Concat(*parts), Value(0), function="hashtextextended", output_field=models.BigIntegerField()
    )
    return Func(hashed, hashed, Value("[]"), function="int8range", output_field=BigIntegerRangeField())


class TaxRate(Record):
    """The rate of one category in one jurisdiction, valid in `[effective_from, effective_to)`.

    `rate` is a fraction: 0.19 is 19 percent. `region` is empty for a country-wide rate; the most
    specific row wins (category before 'standard', then region before country). A rate of zero is a
    statement (zero-rated or not taxable there); an absent row is a finding, not a zero.
    """

    country = models.CharField(max_length=2, help_text="ISO 3166 alpha-2")
    region = models.CharField(max_length=10, blank=True, help_text="State or province (CA); empty: all")
    category = models.CharField(max_length=40, default="standard", help_text="Tax category of the SKU")
    name = models.CharField(max_length=60, help_text="As printed on the invoice, such as VAT or Sales tax")
    rate = RateField(help_text="As a fraction: 0.19 is 19 %")
    effective_from = models.DateField()
    effective_to = models.DateField(null=True, blank=True, help_text="First day on which it no longer holds")
    source = models.CharField(max_length=200, blank=True, help_text="Where the rate was taken from")

    class Meta:
        ordering = ["country", "region", "category", "effective_from"]
        constraints = [
            models.CheckConstraint(
                name="billing_taxrate_between_0_and_1",
                condition=Q(rate__gte=0) & Q(rate__lt=1),
                violation_error_message="Write the rate as a fraction: 0.19 for 19 percent.",
            ),
            models.CheckConstraint(
                name="billing_taxrate_ends_after_start",
                condition=Q(effective_to__isnull=True) | Q(effective_to__gt=F("effective_from")),
                violation_error_message="A rate ends after it begins.",
            ),
            ExclusionConstraint(
                name="billing_taxrate_no_overlap",
                expressions=[
                    (_hash_range("country", "region", "category"), RangeOperators.OVERLAPS),
                    ranges.dates("effective_from", "effective_to"),
                ],
                violation_error_message="Another rate holds for this jurisdiction and category in that time.",
            ),
        ]

    def __str__(self) -> str:
        place = f"{self.country}-{self.region}" if self.region else self.country
        return f"{place} {self.category} {self.rate.normalize():f} from {self.effective_from}"
