"""What stands on a document, as text: everything is formatted here, the templates only place it.

Read from the document itself (its own copies of parties, rates and terms), never from the customer as
they are today. The same document gives the same data for ever, so its PDF can be made again to the byte.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal

from billing.domain.ageing import NAMES
from billing.models import Invoice, InvoiceLine
from billing.selectors import ageing, snapshots, statements
from o2c.ledger.models import LegalEntity
from o2c.money import minor_units
from o2c.vault import opened
from orders.models import Customer

LOCALES = {"US": "en_US", "IE": "en_IE", "GB": "en_GB"}
DEFAULT_LOCALE = "en_GB"
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
MAX_DETAILS = 30
TITLES = {
    Invoice.Kind.INVOICE: "Invoice",
    Invoice.Kind.CREDIT_MEMO: "Credit memo",
    Invoice.Kind.DEBIT_MEMO: "Debit memo",
}
TAX_ID_LABEL = {"US": "EIN"}


class Formats:
    """Money, numbers and dates in the manner of the seller's country."""

    def __init__(self, country: str, currency: str) -> None:
        self.locale = Locale.parse(LOCALES.get(country, DEFAULT_LOCALE))
        self.currency = currency
        self._pattern = "#,##0" + ("." + "0" * minor_units(currency) if minor_units(currency) else "")

    def amount(self, value: Decimal) -> str:
        """1,234.50 with the currency's own digits. Amounts are in whole minor units: nothing is rounded."""
        return format_decimal(value, format=self._pattern, locale=self.locale).replace("-", MINUS)

    def money(self, value: Decimal) -> str:
        """USD 1,234.50"""
        return f"{self.currency}\xa0{self.amount(value)}"

    def number(self, value: Decimal | str) -> str:
        """A quantity or unit price with the digits that it has, up to twelve; fractions as they are."""
        if isinstance(value, str):
            if "/" in value:
                return value
            value = Decimal(value)
        return format_decimal(value.normalize(), format="#,##0.############", locale=self.locale).replace(
            "-", MINUS
        )

    def price(self, value: str) -> str:
        """A unit price: at least the currency's own digits, more where it has them."""
        if "/" in value:
            return value
        pattern = self._pattern if "." in self._pattern else self._pattern + "."
        return format_decimal(
            Decimal(value), format=pattern + "#" * (12 - minor_units(self.currency)), locale=self.locale
        ).rstrip(".")

    def percent(self, rate: Decimal) -> str:
        return f"{self.number(rate * 100)}\xa0%"

    def day(self, value: dt.date) -> str:
        return format_date(value, format="long", locale=self.locale)

    def period(self, start: dt.date | None, end: dt.date | None) -> str:
        """A half-open period in words, with its last day: 1 Aug 2026 - 31 Aug 2026."""
        if start is None or end is None:
            return ""
        last = end - dt.timedelta(days=1)
        first = format_date(start, format="medium", locale=self.locale)
        if last == start:
            return first
        return f"{first} {DASH} {format_date(last, format='medium', locale=self.locale)}"

    def country(self, code: str) -> str:
        return str(self.locale.territories.get(code, code))


def invoice(document: Invoice) -> dict[str, Any]:
    """The data of an invoice or credit memo. Three queries, whatever its number of lines."""
    formats = Formats(document.seller["country"], document.currency)
    lines = list(document.lines.select_related("order_line__order").order_by("position"))
    return {
        "title": TITLES[Invoice.Kind(document.kind)],
        "number": document.number,
        "void": document.state == Invoice.State.VOID,
        "currency": document.currency,
        "seller": party(document.seller, formats),
        "buyer": party(document.bill_to, formats),
        "facts": _facts(document, formats),
        "groups": _groups(lines, formats),
        "taxes": _taxes(document, lines, formats),
        "totals": _totals(document, formats),
        "notes": _notes(document),
        "remittance": _remittance(document, formats),
        "headline": _headline(document, formats),
    }


def party(copy: dict[str, Any], formats: Formats) -> dict[str, Any]:
    """Name and address lines, with the registrations, of either side."""
    place = " ".join(part for part in (copy["city"], copy["region"], copy["postal_code"]) if part)
    address = [copy["line1"], copy["line2"], place, formats.country(copy["country"])]
    label = TAX_ID_LABEL.get(copy["country"], "VAT")
    return {
        "name": copy.get("name") or copy["legal_name"],
        "legal_name": copy["legal_name"],
        "address": [line for line in address if line],
        "tax_id": f"{label} {copy['tax_id']}" if copy["tax_id"] else "",
        "registration": copy.get("registration", ""),
        "email": copy.get("email", ""),
        "number": copy.get("number", ""),
    }


def _facts(document: Invoice, formats: Formats) -> list[list[str]]:
    credits = document.kind == Invoice.Kind.CREDIT_MEMO
    terms = "Due on receipt" if document.terms_days == 0 else f"Net {document.terms_days} days"
    rows = [
        ["Issue date", formats.day(document.issue_date)],
        ["Due date", "" if credits else formats.day(document.due_date)],
        ["Payment terms", "" if credits else terms],
        ["Purchase order", document.po_number],
        ["Customer", document.bill_to["number"]],
        ["Credits invoice", document.corrects.number or "" if document.corrects else ""],
        ["Reason", document.reason if credits else ""],
    ]
    return [row for row in rows if row[1]]


def _groups(lines: Iterable[InvoiceLine], formats: Formats) -> list[dict[str, Any]]:
    """The lines by order, in the order of the document."""
    groups: dict[str, list[InvoiceLine]] = {}
    for line in lines:
        title = f"Order {line.order_line.order.number}" if line.order_line else ""
        groups.setdefault(title, []).append(line)
    many = len(groups) > 1
    return [
        {
            "title": title,
            "lines": [_line(line, formats) for line in members],
            "subtotal": formats.amount(sum((line.net for line in members), Decimal(0))) if many else "",
        }
        for title, members in groups.items()
    ]


def _line(line: InvoiceLine, formats: Formats) -> dict[str, Any]:
    steps = [step for piece in line.trace.get("pieces", []) for step in piece["steps"]]
    unit_amount = "" if line.trace.get("correction") else _unit_amount(steps)
    return {
        "description": line.description,
        "details": _details(line, steps, formats),
        "sku": line.sku_code,
        "period": formats.period(line.service_from, line.service_to),
        "quantity": formats.number(line.quantity),
        "unit": line.unit,
        "price": formats.price(unit_amount) if unit_amount else "",
        "tax": formats.percent(line.tax_rate) if line.tax_name else DASH,
        "net": formats.amount(line.net),
    }


def _unit_amount(steps: list[dict[str, Any]]) -> str:
    """The unit price where there is one: a single step that is a price per unit, or a flat amount."""
    if len(steps) != 1:
        return ""
    flat, unit = steps[0].get("flat_amount", "0"), steps[0]["unit_amount"]
    if flat != "0" and unit != "0":
        return ""
    return flat if flat != "0" else unit


def _details(line: InvoiceLine, steps: list[dict[str, Any]], formats: Formats) -> list[str]:
    """Small print under a line: tiers or models it was rated by, days of a part period, discount."""
    details: list[str] = []
    for step in steps if len(steps) > 1 else []:
        if step["units"] == "0" and "flat_amount" not in step:
            continue
        name = ", ".join(step.get("dimensions", {}).values()) or step["label"]
        text = f"{name}: {formats.number(step['units'])} {TIMES} {formats.number(step['unit_amount'])}"
        if "flat_amount" in step:
            text += f" + {formats.number(step['flat_amount'])}"
        details.append(text)
    if len(details) > MAX_DETAILS:
        details = [*details[:MAX_DETAILS], f"and {len(details) - MAX_DETAILS} more; see the usage report"]
    if share := _share(line.trace):
        details.append(share)
    correction = line.trace.get("correction")
    if correction:
        now, before = (formats.amount(Decimal(correction[name])) for name in ("expected", "billed_before"))
        details.append(f"Now {now}, billed before {before}")
    if line.trace.get("discount_percent"):
        details.append(f"Discount {formats.number(line.trace['discount_percent'])}\xa0%")
    return details


def _share(trace: dict[str, Any]) -> str:
    """What of a price's own period the line is for: nothing to say for one whole period."""
    pieces, proration = trace.get("pieces", []), trace.get("proration")
    share = pieces[0].get("share", "1/1") if len(pieces) == 1 else ""
    times, _, whole = share.partition("/")
    if whole == "1":
        return f"{TIMES} {times} price periods" if times != "1" else ""
    if share:
        return f"Part period: {TIMES} {share}"
    return f"Part period: {proration['days']}" if proration else ""


def _taxes(document: Invoice, lines: Iterable[InvoiceLine], formats: Formats) -> list[list[str]]:
    """Per rate: name, rate, net, tax. Sums what the lines carry, which is what was posted."""
    sums: dict[tuple[str, Decimal], list[Decimal]] = {}
    for line in lines:
        entry = sums.setdefault((line.tax_name, line.tax_rate), [Decimal(0), Decimal(0)])
        entry[0] += line.net
        entry[1] += line.tax
    return [
        [
            name or document.get_tax_treatment_display(),
            formats.percent(rate) if name else DASH,
            formats.amount(net),
            formats.amount(tax),
        ]
        for (name, rate), (net, tax) in sums.items()
    ]


def _totals(document: Invoice, formats: Formats) -> list[list[str]]:
    final = "Total credit" if document.kind == Invoice.Kind.CREDIT_MEMO else "Total due"
    return [
        ["Net", formats.amount(document.net)],
        ["Tax", formats.amount(document.tax)],
        [final, formats.money(document.total)],
    ]


def _headline(document: Invoice, formats: Formats) -> str:
    if document.kind == Invoice.Kind.CREDIT_MEMO:
        return f"{formats.money(-document.total)} credited"
    if document.channel != Invoice.Channel.DIRECT:
        return f"{formats.money(document.total)}, collected by the marketplace"
    return f"{formats.money(document.total)} due {formats.day(document.due_date)}"


def _notes(document: Invoice) -> list[str]:
    notes = [document.tax_note] if document.tax_note else []
    if document.state == Invoice.State.VOID:
        notes.append("This document is void. It is not payable.")
    return notes


def _remittance(document: Invoice, formats: Formats) -> list[list[str]]:
    """Where to pay; nothing on a credit memo or where a marketplace collects."""
    if document.kind == Invoice.Kind.CREDIT_MEMO or document.channel != Invoice.Channel.DIRECT:
        return []
    seller = document.seller
    account = opened(seller["bank_account"])
    label = "IBAN" if account[:2].isalpha() else "Account number"
    rows = [
        ["Beneficiary", seller["legal_name"]],
        ["Bank", seller["bank_name"]],
        [label, _spaced(account) if label == "IBAN" else account],
        ["Routing number", opened(seller["bank_routing"])],
        ["BIC / SWIFT", seller["swift"]],
        ["Payment reference", document.number or ""],
        ["Amount", formats.money(document.total)],
    ]
    return [row for row in rows if row[1]]


def _spaced(iban: str) -> str:
    compact = iban.replace(" ", "")
    return " ".join(compact[i : i + 4] for i in range(0, len(compact), 4))


def statement(
    customer_id: int, entity_id: int, currency: str, *, since: dt.date, as_of: dt.date
) -> dict[str, Any]:
    """The data of a statement of account for `[since, as_of]`: movements, open items, ageing."""
    entity = LegalEntity.objects.get(pk=entity_id)
    customer = Customer.objects.get(pk=customer_id)
    formats = Formats(entity.country, currency)
    account = statements.account(customer_id, entity_id, currency, since=since, as_of=as_of)
    open_documents = [
        document
        for document in ageing.open_documents(as_of, entity_id=entity_id, customer_id=customer_id)
        if document.currency == currency
    ]
    aged = ageing.by_customer(as_of, entity_id=entity_id, customer_id=customer_id).get(
        (entity_id, customer_id, currency)
    )
    seller = snapshots.seller(entity)
    return {
        "title": "Statement of account",
        "currency": currency,
        "seller": party(seller, formats),
        "buyer": party(snapshots.buyer(customer, customer.tax_id), formats),
        "facts": [
            ["Customer", customer.number],
            ["From", formats.day(since)],
            ["To", formats.day(as_of)],
            ["Currency", currency],
        ],
        "headline": f"{formats.money(account.closing)} balance",
        "opening": formats.amount(account.opening),
        "closing": formats.amount(account.closing),
        "moves": [
            [
                format_date(move.on, format="medium", locale=formats.locale),
                move.reference,
                move.what,
                formats.amount(move.amount),
                formats.amount(move.balance),
            ]
            for move in account.moves
        ],
        "open": [
            [
                document.number,
                format_date(document.issue_date, format="medium", locale=formats.locale),
                format_date(document.due_date, format="medium", locale=formats.locale),
                formats.amount(document.total),
                formats.amount(document.open),
            ]
            for document in open_documents
        ],
        "ageing": [[name.capitalize(), formats.amount(aged.buckets[name])] for name in NAMES] if aged else [],
        "unapplied": formats.amount(aged.unapplied) if aged and aged.unapplied else "",
        "remittance": [
            ["Beneficiary", seller["legal_name"]],
            ["Bank", seller["bank_name"]],
            ["Account", opened(seller["bank_account"])],
            ["BIC / SWIFT", seller["swift"]],
        ],
    }


def email_context(document: Invoice) -> dict[str, Any]:
    """What the e-mail that carries the document says."""
    formats = Formats(document.seller["country"], document.currency)
    return {
        "title": TITLES[Invoice.Kind(document.kind)],
        "number": document.number,
        "seller": document.seller | {"bank_account": opened(document.seller["bank_account"])},
        "buyer": document.bill_to,
        "total": formats.money(document.total),
        "due": formats.day(document.due_date),
        "is_credit": document.kind == Invoice.Kind.CREDIT_MEMO,
        "po_number": document.po_number,
    }
