"""Which tax applies to a supply, and at which rate. Pure rules; the rates themselves are data.

The place of supply of electronically supplied services to a business is where the customer is
established (EU: Art. 44 and 196 of Directive 2006/112/EC; UK and others alike), to anybody else where
they live (Art. 58); US sales tax follows the customer's state, and only in states where the seller is
registered, which is to say: for which a rate is loaded.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

STANDARD_CATEGORY = "standard"

# Member states by ISO code (Greece writes its VAT numbers with EL, its country code is GR).
EU = frozenset(
    [
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE"),
        *("IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
    ]
)

REVERSE_CHARGE_NOTE = (
    "Reverse charge: VAT to be accounted for by the recipient, Article 196 of Council Directive 2006/112/EC."
)
EXPORT_NOTE = "Outside the scope of VAT in the country of the supplier; the recipient accounts for local tax."
EXPORT_NOTE_US = "No US sales tax: the customer is outside the United States."
EXEMPT_NOTE = "Exempt from tax: exemption certificate on file."
MARKETPLACE_NOTE = "Invoiced and taxed by the marketplace. Not payable to us."


class Treatment(StrEnum):
    STANDARD = "standard"
    EXEMPT = "exempt"
    REVERSE_CHARGE = "reverse_charge"
    OUT_OF_SCOPE = "out_of_scope"
    MARKETPLACE = "marketplace"


@dataclass(frozen=True, slots=True)
class Supply:
    """Who sells to whom. Countries are ISO 3166 alpha-2; `buyer_tax_id` is empty for a private buyer."""

    seller_country: str
    buyer_country: str
    buyer_region: str = ""
    buyer_tax_id: str = ""
    buyer_exempt: bool = False
    through_marketplace: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """How the supply is taxed: where (empty when nowhere) and what the law wants printed."""

    treatment: Treatment
    country: str = ""
    region: str = ""
    note: str = ""

    @property
    def is_taxed(self) -> bool:
        return self.treatment is Treatment.STANDARD


@dataclass(frozen=True, slots=True)
class Rate:
    """A row of the rate table; `rate` is a fraction, the validity is `[effective_from, effective_to)`."""

    country: str
    region: str
    category: str
    name: str
    rate: Decimal
    effective_from: dt.date
    effective_to: dt.date | None = None

    def holds_on(self, day: dt.date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)


def decide(supply: Supply) -> Decision:
    """The treatment of a supply, by the rules in the order in which they take precedence.

    >>> decide(Supply("IE", "DE", buyer_tax_id="DE136695976")).treatment.value
    'reverse_charge'
    >>> decide(Supply("IE", "DE")).country
    'DE'
    """
    if supply.through_marketplace:
        return Decision(Treatment.MARKETPLACE, note=MARKETPLACE_NOTE)
    seller, buyer = supply.seller_country, supply.buyer_country
    if seller != buyer and seller in EU and buyer in EU:
        if supply.buyer_tax_id:
            return Decision(Treatment.REVERSE_CHARGE, note=REVERSE_CHARGE_NOTE)
        # A buyer without a VAT number counts as a consumer: the rate of their country (One Stop Shop).
        return Decision(Treatment.STANDARD, buyer)
    if seller != buyer:
        return Decision(Treatment.OUT_OF_SCOPE, note=EXPORT_NOTE_US if seller == "US" else EXPORT_NOTE)
    if supply.buyer_exempt:
        return Decision(Treatment.EXEMPT, note=EXEMPT_NOTE)
    return Decision(Treatment.STANDARD, buyer, supply.buyer_region)


def find_rate(rates: Iterable[Rate], decision: Decision, category: str, on: dt.date) -> Rate | None:
    """The most specific rate in force on `on`: category before 'standard', then region before country.

    Category first: 'services are not taxed anywhere in the country' outranks a state's general rate.
    None when no row speaks: the caller reports it, never bills it as zero.
    """
    best: tuple[int, Rate] | None = None
    for rate in rates:
        if rate.country != decision.country or not rate.holds_on(on):
            continue
        if rate.region not in ("", decision.region) or rate.category not in (category, STANDARD_CATEGORY):
            continue
        score = 2 * (rate.category == category) + (rate.region != "")
        if best is None or score > best[0]:
            best = (score, rate)
    return best[1] if best else None
