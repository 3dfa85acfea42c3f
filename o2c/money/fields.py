"""Columns for money. A document has one currency column; its amounts are plain numerics."""

from __future__ import annotations

from typing import Any

from django.db import models


class _Numeric(models.DecimalField):
    digits = 20
    places = 3

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", self.digits)
        kwargs.setdefault("decimal_places", self.places)
        super().__init__(*args, **kwargs)


class AmountField(_Numeric):
    """An amount in the document's currency, whole minor units, up to three digits: numeric(20,3)."""


class RateField(_Numeric):
    """A unit price or an exchange rate: numeric(28,12), so that 0.0000000375 a token is exact."""

    digits = 28
    places = 12


class QuantityField(_Numeric):
    """A quantity of anything metered or sold: numeric(28,9)."""

    digits = 28
    places = 9


class CurrencyField(models.CharField):
    """ISO 4217 code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 3)
        super().__init__(*args, **kwargs)
