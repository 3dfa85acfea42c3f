from __future__ import annotations

from django.db import models
from django.db.models import Q

from o2c.ledger.models import LegalEntity


class NumberSeries(models.Model):
    """The last number given in one entity, series and year. It only ever counts up."""

    entity = models.ForeignKey(LegalEntity, models.PROTECT, related_name="+")
    series = models.CharField(max_length=8)
    year = models.PositiveSmallIntegerField()
    last = models.PositiveBigIntegerField()

    class Meta:
        verbose_name_plural = "number series"
        constraints = [
            models.UniqueConstraint(fields=["entity", "series", "year"], name="one_series_a_year"),
            models.CheckConstraint(condition=Q(last__gt=0), name="series_has_begun"),
        ]

    class Guards:
        no_delete = True
        immutable = ["entity", "series", "year"]

    def __str__(self) -> str:
        return f"{self.entity.code}-{self.series}-{self.year}"
