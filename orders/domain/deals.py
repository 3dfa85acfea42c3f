"""A signed deal as it reaches us, whatever CRM it comes from: the neutral form that mappers produce."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class DealCustomer:
    """Who bought; empty text means "not said"."""

    source_id: str
    name: str
    entity: str = ""
    currency: str = ""
    country: str = ""
    region: str = ""
    tax_id: str = ""
    billing_email: str = ""
    bill_to: tuple[str, ...] = ()  # line 1, city, region, postal code, country


@dataclass(frozen=True, slots=True)
class DealLine:
    """A line as it was sold.

    `unit_price` is what one unit costs for one price period (or once) before `discount_percent`; None means
    the list price. `path` is where the line stands in the source, for messages.
    """

    source_id: str
    path: str
    sku: str
    quantity: Decimal
    unit_price: Decimal | None
    discount_percent: Decimal
    starts_on: dt.date | None
    ends_on: dt.date | None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Deal:
    """Exactly one of `term_months` and `ends_on` is given, or neither for an order without end."""

    source_id: str
    title: str
    closed_on: dt.date
    currency: str
    customer: DealCustomer
    starts_on: dt.date
    lines: tuple[DealLine, ...]
    ends_on: dt.date | None = None
    term_months: int | None = None
    signed_total: Decimal | None = None
    po_number: str = ""
    payment_terms_days: int | None = None
    billing_frequency: str = ""


@dataclass(slots=True)
class DealErrors:
    """Why a deal can't be taken as it is: (field in the source, what is wrong, stable code)."""

    found: list[dict[str, str]] = field(default_factory=list)

    def add(self, place: str, message: str, code: str = "invalid") -> None:
        self.found.append({"field": place, "message": message, "code": code})

    def __bool__(self) -> bool:
        return bool(self.found)
