"""The chart of accounts: one for all legal entities."""

from __future__ import annotations

from django.db import models

from o2c.records import Record


class Account(Record):
    """A general-ledger account. `monetary` accounts are remeasured at closing rates."""

    class Kind(models.TextChoices):
        ASSET = "asset", "Asset"
        LIABILITY = "liability", "Liability"
        REVENUE = "revenue", "Revenue"
        EXPENSE = "expense", "Expense"

    code = models.CharField(max_length=10, unique=True)
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    contra = models.BooleanField(default=False, help_text="Carries the opposite of its kind's side")
    monetary = models.BooleanField(default=False)
    clearing = models.BooleanField(default=False, help_text="Must be zero at every close")

    class Meta:
        ordering = ("code",)

    class Guards:
        immutable = ["code", "kind"]
        no_delete = True

    def __str__(self) -> str:
        return f"{self.code} {self.name}"
