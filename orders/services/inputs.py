"""What the writing services take: plain values, checked by the service, every problem named by its path.

None means "not said": a new record gets the default, an existing one keeps what it has.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class ContactInput:
    name: str
    email: str
    kind: str = "billing"


@dataclass(frozen=True, slots=True)
class CustomerInput:
    """A customer, found by `salesforce_id` or `number`, made when neither is known.

    `entity` is the code of a legal entity. Entity and currency of an existing customer never change.
    """

    name: str
    entity: str | None = None
    currency: str | None = None
    country: str | None = None
    legal_name: str | None = None
    salesforce_id: str | None = None
    number: str | None = None
    region: str | None = None
    tax_id: str | None = None
    tax_exempt: bool | None = None
    payment_terms_days: int | None = None
    bill_to_name: str | None = None
    bill_to_line1: str | None = None
    bill_to_line2: str | None = None
    bill_to_city: str | None = None
    bill_to_region: str | None = None
    bill_to_postal_code: str | None = None
    bill_to_country: str | None = None
    billing_email: str | None = None
    time_zone: str | None = None
    consolidate_invoices: bool | None = None
    contacts: tuple[ContactInput, ...] = ()
    tax_registrations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PriceInput:
    """A list price to draft: `sku` is a code; what a recurring amount pays for is `period`."""

    sku: str
    currency: str
    spec: Mapping[str, Any]
    effective_from: dt.date
    effective_to: dt.date | None = None
    period: str = "month"


@dataclass(frozen=True, slots=True)
class SegmentInput:
    """One step of a line. Without `price` (an id) the list price that is valid on `starts_on` is taken."""

    starts_on: dt.date
    ends_on: dt.date | None
    quantity: Decimal
    price: int | None = None
    price_override: Mapping[str, Any] | None = None
    discount_percent: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class LineInput:
    """A line of an order or a quote.

    One quantity and price from `starts_on` to `ends_on` (default: the term), or `segments` for a ramp.
    `timing` None: usage in arrears, everything else in advance. `override_reason` is only kept on quotes,
    where it is due. A line with a `schedule` (orders/domain/schedules.py) is billed by it and not by periods.
    """

    sku: str
    quantity: Decimal = Decimal(1)
    price: int | None = None
    price_override: Mapping[str, Any] | None = None
    discount_percent: Decimal = Decimal(0)
    override_reason: str = ""
    starts_on: dt.date | None = None
    ends_on: dt.date | None = None
    segments: tuple[SegmentInput, ...] = ()
    timing: str | None = None
    frequency: str = ""
    description: str = ""
    usage_key: str = ""
    source_line_id: str = ""
    schedule: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class TermsInput:
    """Billing clauses; None takes the customer's, or the default of the column."""

    time_zone: str | None = None
    billing_frequency: str | None = None
    anchor: str | None = None
    anchor_on: dt.date | None = None
    proration: str | None = None
    counted_day: str | None = None
    remainder: str | None = None
    po_number: str | None = None
    payment_terms_days: int | None = None
    channel: str | None = None
    late_usage_policy: str | None = None
    late_waive_below: Decimal | None = None
    commitments: Sequence[Mapping[str, Any]] | None = None
    invoice_thresholds: Sequence[str] | None = None
    auto_renew: bool | None = None
    renewal_term_months: int | None = None
    renewal_uplift_percent: Decimal | None = None
    termination_notice_days: int | None = None
    acceptance_days: int | None = None
    most_favoured_price: bool | None = None
    side_letter: str | None = None


@dataclass(frozen=True, slots=True)
class OrderInput:
    """A draft order. `customer` is a primary key; entity and currency are the customer's.

    Give `ends_on` (exclusive) or `term_months`; neither makes an order without end.
    """

    customer: int
    starts_on: dt.date
    lines: tuple[LineInput, ...]
    ends_on: dt.date | None = None
    term_months: int | None = None
    terms: TermsInput = TermsInput()
    title: str = ""
    signed_total: Decimal | None = None
    consolidation_key: str = ""
    salesforce_opportunity_id: str | None = None
    quote: int | None = None


@dataclass(frozen=True, slots=True)
class QuoteInput:
    """A draft quote, as an order that is not agreed yet; `valid_until` is the last day to accept it."""

    customer: int
    starts_on: dt.date
    valid_until: dt.date
    lines: tuple[LineInput, ...]
    ends_on: dt.date | None = None
    term_months: int | None = None
    terms: TermsInput = TermsInput()
    title: str = ""
