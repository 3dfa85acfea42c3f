"""The marketplace's listing fee: a dated table of rates, a cliff on total contract value.

Rates of AWS Marketplace from 5 January 2024 (reference: marketplaces, 1.10). Fees are compared by amount,
never by percentage: AWS truncates its printed percentage to four places.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from o2c.money import quantize


@dataclass(frozen=True, slots=True)
class FeeRate:
    """A rate for a product type and programme, for total contract values in [tcv_from, tcv_to)."""

    product_type: str
    programme: str
    rate: Decimal
    effective_from: date
    tcv_from: Decimal = Decimal(0)
    tcv_to: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Resale:
    """A channel-partner sale: what the buyer pays, what the reseller keeps, what reaches us after our fee."""

    buyer_price: Decimal
    reseller_margin: Decimal
    listing_fee: Decimal
    net: Decimal


def rate_for(
    table: Sequence[FeeRate],
    *,
    product_type: str,
    programme: str,
    tcv: Decimal,
    on: date,
    resale: bool = False,
    resale_supplement: Decimal = Decimal("0.005"),
) -> Decimal:
    """The rate on a day. The whole contract value decides the band, and the band's rate holds for all of it.

    A sale through a channel partner adds half a point to the private-offer rate.
    """
    fitting = [
        row
        for row in table
        if row.product_type == product_type
        and row.programme == programme
        and row.effective_from <= on
        and row.tcv_from <= tcv
        and (row.tcv_to is None or tcv < row.tcv_to)
    ]
    if not fitting:
        raise LookupError(
            f"no listing-fee rate for {product_type}, {programme}, contract value {tcv} on {on}"
        )
    newest = max(fitting, key=lambda row: row.effective_from)
    return newest.rate + (resale_supplement if resale else Decimal(0))


def fee(base: Decimal, rate: Decimal, currency: str) -> Decimal:
    """The fee on an amount before tax, rounded to the currency. A refund (negative base) gives a
    negative fee.

    >>> fee(Decimal("1000.00"), Decimal("0.03"), "USD")
    Decimal('30.00')
    """
    return quantize(base * rate, currency)


def marked_up(wholesale: Decimal, percentage: Decimal, currency: str) -> Decimal:
    """The buyer's price of a channel-partner offer: wholesale plus the partner's markup, in percent."""
    return quantize(wholesale * (1 + percentage / 100), currency)


def resale(wholesale: Decimal, markup_percentage: Decimal, rate: Decimal, currency: str) -> Resale:
    """The money of a channel-partner sale as the manufacturer sees it."""
    buyer_price = marked_up(wholesale, markup_percentage, currency)
    charged = fee(wholesale, rate, currency)
    return Resale(buyer_price, buyer_price - wholesale, charged, wholesale - charged)
