"""Money: exact, with its currency, rounded in one place."""

from o2c.money.arithmetic import allocate, minor_units, quantize
from o2c.money.fields import AmountField, CurrencyField, QuantityField, RateField
from o2c.money.value import Money

__all__ = [
    "AmountField",
    "CurrencyField",
    "Money",
    "QuantityField",
    "RateField",
    "allocate",
    "minor_units",
    "quantize",
]
