"""The companies that keep books, and the rates between their currencies."""

from __future__ import annotations

from django.db import models

from o2c.money import CurrencyField, RateField
from o2c.records import Record
from o2c.vault import PREFIX, SealedField


class LegalEntity(Record):
    """A company of ours that contracts, invoices and keeps books in its functional currency."""

    code = models.CharField(max_length=8, unique=True, help_text="Prefix of its document numbers")
    name = models.CharField(max_length=120)
    legal_name = models.CharField(max_length=200)
    currency = CurrencyField(help_text="Functional currency")
    country = models.CharField(max_length=2)
    time_zone = models.CharField(max_length=64, default="UTC")
    tax_id = models.CharField(max_length=40, blank=True)
    registration = models.CharField(max_length=120, blank=True, help_text="Company register and number")
    line1 = models.CharField(max_length=200)
    line2 = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100)
    region = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=20)
    email = models.EmailField()
    bank_name = models.CharField(max_length=120)
    bank_account = SealedField(help_text="IBAN, or account number")
    bank_routing = SealedField(blank=True, help_text="Routing number, where used")
    swift = models.CharField(max_length=11, blank=True)

    class Meta:
        verbose_name_plural = "legal entities"
        ordering = ("code",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(bank_account="") | models.Q(bank_account__startswith=PREFIX),
                name="bank_account_is_sealed",
            ),
            models.CheckConstraint(
                condition=models.Q(bank_routing="") | models.Q(bank_routing__startswith=PREFIX),
                name="bank_routing_is_sealed",
            ),
        ]

    class Guards:
        immutable = ["code", "currency"]
        no_delete = True

    def __str__(self) -> str:
        return self.name


class ExchangeRate(Record):
    """One unit of `from_currency` is `rate` units of `to_currency` from `valid_on` until the next."""

    from_currency = CurrencyField()
    to_currency = CurrencyField()
    valid_on = models.DateField()
    rate = RateField()
    source = models.CharField(max_length=60)

    class Meta:
        ordering = ("-valid_on", "from_currency", "to_currency")
        constraints = [
            models.UniqueConstraint(
                fields=["from_currency", "to_currency", "valid_on"], name="one_rate_a_day"
            ),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="rate_is_positive"),
        ]

    class Guards:
        no_delete = True

    def __str__(self) -> str:
        return f"{self.from_currency}/{self.to_currency} {self.valid_on}"
