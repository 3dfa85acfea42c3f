"""A closed-won Opportunity with its Account and line items, as the neutral deal.

The payload is what the REST API answers to a query of the Opportunity with its relationships:

    {"Id": "006…", "Name": "…", "StageName": "Closed Won", "IsWon": true, "CloseDate": "2026-08-20",
     "Amount": "54000.00", "CurrencyIsoCode": "USD", "Contract_Start_Date__c": "2026-09-01", "Term_Months__c":
     12, "Account": {"Id": "001…", "Name": "…", "BillingStreet": "…", "BillingCountryCode": "US", …},
     "OpportunityLineItems": {"records": [
        {"Id": "00k…", "ProductCode": "SEATS", "Quantity": "10", "UnitPrice": "40.00", "ListPrice": "40.00",
         "Discount": null, "TotalPrice": "400.00", "ServiceDate": null}, …]}}

UnitPrice is per unit and price period; TotalPrice = Quantity x UnitPrice less Discount, and Amount their sum:
what does not add up is refused, because then one of them is not what was signed. Custom fields have the names
of `Fields`; an installation with other names passes its own.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from o2c.errors import InvalidInput
from orders.domain.deals import Deal, DealCustomer, DealErrors, DealLine
from orders.salesforce.ids import eighteen

VERSION = "salesforce-opportunity/1"
FREQUENCIES = {
    "monthly": "month",
    "quarterly": "quarter",
    "semiannual": "half_year",
    "semi-annual": "half_year",
    "annual": "year",
    "yearly": "year",
}
MOST_LINES = 1000


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of the custom fields of the org."""

    starts_on: str = "Contract_Start_Date__c"
    ends_on: str = "Contract_End_Date__c"
    term_months: str = "Term_Months__c"
    signed_total: str = "Total_Contract_Value__c"
    po_number: str = "PO_Number__c"
    payment_terms: str = "Payment_Terms__c"
    billing_frequency: str = "Billing_Frequency__c"
    entity: str = "Legal_Entity__c"
    tax_id: str = "Tax_Id__c"
    billing_email: str = "Billing_Email__c"
    line_ends_on: str = "End_Date__c"


class Reader:
    """Takes typed values out of a record and notes what is wrong with them, by path."""

    def __init__(self, record: Mapping[str, Any], path: str, errors: DealErrors) -> None:
        self.record = record
        self.path = path
        self.errors = errors

    def wrong(self, name: str, message: str, code: str = "invalid") -> None:
        self.errors.add(f"{self.path}{name}", message, code)

    def text(self, name: str, *, required: bool = False, length: int = 300) -> str:
        value = self.record.get(name)
        if value is None or value == "":
            if required:
                self.wrong(name, "is missing", "missing")
            return ""
        if not isinstance(value, str):
            self.wrong(name, f"must be a text, and is {type(value).__name__}")
            return ""
        if len(value) > length:
            self.wrong(name, f"is longer than {length} characters")
        return value.strip()

    def identifier(self, name: str) -> str:
        value = self.text(name, required=True)
        if not value:
            return ""
        try:
            return eighteen(value)
        except InvalidInput as error:
            self.wrong(name, error.message)
            return ""

    def number(self, name: str, *, required: bool = False, low: Decimal | None = None) -> Decimal | None:
        value = self.record.get(name)
        if value is None or value == "":
            if required:
                self.wrong(name, "is missing", "missing")
            return None
        if isinstance(value, bool | float) or not isinstance(value, str | int | Decimal):
            self.wrong(name, "must be a decimal, sent as a string: a JSON number may be rounded")
            return None
        try:
            found = Decimal(value)
        except InvalidOperation:
            found = Decimal("NaN")
        if not found.is_finite():
            self.wrong(name, f"{value!r} is not a decimal")
            return None
        exponent = found.as_tuple().exponent
        if found.adjusted() > 15 or (isinstance(exponent, int) and exponent < -12):
            self.wrong(name, "has more than 16 digits or 12 decimals")
            return None
        if low is not None and found < low:
            self.wrong(name, f"{found} is less than {low}")
            return None
        return found

    def date(self, name: str, *, required: bool = False) -> dt.date | None:
        value = self.text(name, required=required)
        if not value:
            return None
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            self.wrong(name, f"{value!r} is not a date such as 2026-08-31")
            return None


def deal_of(payload: object, fields: Fields | None = None) -> tuple[Deal | None, DealErrors]:
    """The deal, or None with everything that is wrong with the payload."""
    fields = fields or Fields()
    errors = DealErrors()
    if not isinstance(payload, Mapping):
        errors.add("", "must be an Opportunity")
        return None, errors
    read = Reader(payload, "", errors)
    if payload.get("IsWon") is not True or payload.get("StageName") != "Closed Won":
        read.wrong(
            "StageName",
            f"is {payload.get('StageName')!r}; only a closed-won deal becomes an order",
            "not_won",
        )
    currency = read.text("CurrencyIsoCode", required=True, length=3)
    lines = _lines(payload, currency, fields, errors)
    starts_on = read.date(fields.starts_on) or min(
        (line.starts_on for line in lines if line.starts_on is not None), default=None
    )
    if starts_on is None:
        read.wrong(fields.starts_on, "is missing, and no line has a ServiceDate", "missing")
    ends_on, term = read.date(fields.ends_on), read.number(fields.term_months, low=Decimal(1))
    if term is not None and term != int(term):
        read.wrong(fields.term_months, f"{term} is not a whole number of months")
    if ends_on is not None and term is not None:
        read.wrong(fields.term_months, f"give {fields.ends_on} or {fields.term_months}, not both")
    deal = Deal(
        source_id=read.identifier("Id"),
        title=read.text("Name", required=True, length=200),
        closed_on=read.date("CloseDate", required=True) or dt.date.min,
        currency=currency,
        customer=_customer(payload, currency, fields, errors),
        starts_on=starts_on or dt.date.min,
        # Salesforce names the last day of a contract; ours is the first day after it.
        ends_on=ends_on + dt.timedelta(days=1) if ends_on else None,
        term_months=int(term) if term is not None else None,
        lines=lines,
        signed_total=read.number(fields.signed_total, low=Decimal(0)),
        po_number=read.text(fields.po_number, length=60),
        payment_terms_days=_payment_terms(read, fields.payment_terms),
        billing_frequency=_frequency(read, fields.billing_frequency),
    )
    _adds_up(read, payload, errors)
    return (None if errors else deal), errors


def _customer(payload: Mapping[str, Any], currency: str, fields: Fields, errors: DealErrors) -> DealCustomer:
    account = payload.get("Account")
    if not isinstance(account, Mapping):
        errors.add("Account", "is missing", "missing")
        return DealCustomer("", "")
    read = Reader(account, "Account.", errors)
    address = ("BillingStreet", "BillingCity", "BillingStateCode", "BillingPostalCode", "BillingCountryCode")
    return DealCustomer(
        source_id=read.identifier("Id"),
        name=read.text("Name", required=True, length=200),
        entity=read.text(fields.entity, length=8),
        currency=currency,
        country=read.text("BillingCountryCode", length=2),
        region=read.text("BillingStateCode", length=50),
        tax_id=read.text(fields.tax_id, length=40),
        billing_email=read.text(fields.billing_email),
        bill_to=tuple(read.text(name) for name in address),
    )


def _lines(
    payload: Mapping[str, Any], currency: str, fields: Fields, errors: DealErrors
) -> tuple[DealLine, ...]:
    items = payload.get("OpportunityLineItems")
    records = items.get("records") if isinstance(items, Mapping) else None
    if not isinstance(records, list) or not records:
        errors.add("OpportunityLineItems", "has no records: nothing was sold", "missing")
        return ()
    if len(records) > MOST_LINES:
        errors.add("OpportunityLineItems", f"has {len(records)} records; at most {MOST_LINES} are allowed")
        return ()
    return tuple(
        _line(record, f"OpportunityLineItems.records[{index}].", fields, errors)
        for index, record in enumerate(records)
    )


def _line(record: object, path: str, fields: Fields, errors: DealErrors) -> DealLine:
    if not isinstance(record, Mapping):
        errors.add(path.rstrip("."), "must be a line item")
        record = {}
    read = Reader(record, path, errors)
    quantity = read.number("Quantity", required=True, low=Decimal(0))
    unit, listed = read.number("UnitPrice", low=Decimal(0)), read.number("ListPrice", low=Decimal(0))
    discount = read.number("Discount", low=Decimal(0)) or Decimal(0)
    total = read.number("TotalPrice")
    if total is not None and unit is not None and quantity is not None:
        expected = unit * quantity * (1 - discount / 100)
        if abs(expected - total) >= Decimal("0.01"):
            read.wrong(
                "TotalPrice",
                f"is {total}, and Quantity x UnitPrice less Discount is {expected.normalize():f}",
                "total_mismatch",
            )
    ends_on = read.date(fields.line_ends_on)
    return DealLine(
        source_id=read.text("Id", length=40),
        path=path,
        sku=read.text("ProductCode", required=True, length=60),
        quantity=quantity or Decimal(0),
        unit_price=None if unit is None or unit == listed else unit,
        discount_percent=discount,
        starts_on=read.date("ServiceDate"),
        ends_on=ends_on + dt.timedelta(days=1) if ends_on else None,
        description=read.text("Description"),
    )


def _adds_up(read: Reader, payload: Mapping[str, Any], errors: DealErrors) -> None:
    """Amount is the sum of the lines' TotalPrice, when both are given and readable."""
    if errors:
        return
    records = payload["OpportunityLineItems"]["records"]
    totals = [record.get("TotalPrice") for record in records]
    amount = read.number("Amount")
    if amount is None or any(total is None for total in totals):
        return
    total = sum((Decimal(value) for value in totals), Decimal(0))
    if total != amount:
        read.wrong("Amount", f"is {amount}, and the lines come to {total}", "total_mismatch")


def _payment_terms(read: Reader, name: str) -> int | None:
    """'Net 30' or 30."""
    value = read.record.get(name)
    if value is None or value == "":
        return None
    match = re.fullmatch(r"(?i)(?:net\s*)?(\d{1,3})(?:\s*days)?", str(value).strip())
    if match is None:
        read.wrong(name, f"{value!r} is not a payment term such as Net 30")
        return None
    return int(match.group(1))


def _frequency(read: Reader, name: str) -> str:
    value = read.text(name)
    if value and value.lower() not in FREQUENCIES:
        read.wrong(name, f"{value!r} is not one of {', '.join(sorted(FREQUENCIES))}")
    return FREQUENCIES.get(value.lower(), "")
