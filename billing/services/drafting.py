"""From what is due to draft documents: grouped, taxed, totalled; a chunk costs a few statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from billing.domain import tax, trace
from billing.domain.invoice_totals import TaxKey, Totals, totals
from billing.domain.types import ChargeLine, Timing
from billing.models import BillRun, Charge, Invoice, InvoiceLine
from billing.selectors import snapshots
from billing.services.tax import Taxation
from o2c.ledger.models import LegalEntity
from o2c.money.arithmetic import round_half_up
from orders.models import BillingTerms, Customer, Order, OrderLine

QUANTITY_PLACES = 9
AS_USED = "usage"
ARREARS = BillingTerms.Timing.ARREARS


@dataclass(frozen=True, slots=True)
class DueLine:
    """A line that the engine says is due, with the contract rows that it comes from.

    `title` replaces the description, `working` adds to the trace, `entries` are the movements of grants that
    posting writes; `apart` asks for a document of its own (the credit of credit and rebill).
    """

    charge: ChargeLine
    order: Order
    line: OrderLine
    title: str = ""
    working: Mapping[str, object] = field(default_factory=dict)
    entries: Sequence[Mapping[str, object]] = ()
    apart: bool = False


class DocumentKey(NamedTuple):
    """What may stand on one document together. `order_id` is None on a consolidated one."""

    customer_id: int
    entity_id: int
    currency: str
    channel: str
    po_number: str
    terms_days: int
    order_id: int | None
    consolidation_key: str
    apart: bool


@dataclass(slots=True)
class Draft:
    """A document about to be written, with its lines and what is missing to tax them."""

    invoice: Invoice
    lines: list[InvoiceLine]
    untaxed: list[InvoiceLine]
    decision: tax.Decision


def key_of(due: DueLine, customer: Customer) -> DocumentKey:
    """Orders of one customer share a document when the customer wants that, never across PO or terms."""
    order = due.order
    together = customer.consolidate_invoices
    return DocumentKey(
        customer_id=order.customer_id,
        entity_id=order.entity_id,
        currency=order.currency,
        channel=order.channel,
        po_number=order.po_number,
        terms_days=order.payment_terms_days,
        order_id=None if together else order.pk,
        consolidation_key=order.consolidation_key if together else "",
        apart=due.apart,
    )


def group(due: Sequence[DueLine]) -> dict[DocumentKey, list[DueLine]]:
    """The documents to draft, each with its lines in contract order."""
    documents: dict[DocumentKey, list[DueLine]] = {}
    for one in due:
        documents.setdefault(key_of(one, one.order.customer), []).append(one)
    for lines in documents.values():
        lines.sort(key=_reading_order)
    return documents


def _reading_order(due: DueLine) -> tuple[str, int, dt.date, bool, int]:
    covers = due.charge.kind in Charge.COVERS
    return (due.order.number, due.line.position, due.charge.service_from, covers, due.charge.revision)


def draft(
    run: BillRun, key: DocumentKey, due: Sequence[DueLine], taxation: Taxation, entity: LegalEntity
) -> Draft:
    """One document, not saved yet. A total below zero makes it a credit memo."""
    customer = due[0].order.customer
    registrations = {r.country: r.number for r in customer.tax_registrations.all()}
    decision, tax_id = taxation.decide(entity, customer, key.channel, registrations)
    lines, keys, untaxed = [], [], []
    for position, one in enumerate(due, start=1):
        line = _line(position, one)
        taxed = taxation.of_line(decision, line.tax_category, run.issue_on)
        if taxed.missing:
            untaxed.append(line)
        line.tax_name, line.tax_rate = taxed.key.name, taxed.key.rate
        lines.append(line)
        keys.append(taxed.key)
    summed = _sum(lines, keys, key.currency)
    credits = summed.document.total < 0
    invoice = Invoice(
        kind=Invoice.Kind.CREDIT_MEMO if credits else Invoice.Kind.INVOICE,
        entity=entity,
        customer=customer,
        order_id=key.order_id,
        currency=key.currency,
        issue_date=run.issue_on,
        due_date=run.issue_on + dt.timedelta(days=0 if credits else key.terms_days),
        run=run,
        po_number=key.po_number,
        terms_days=key.terms_days,
        bill_to=snapshots.buyer(customer, tax_id),
        seller=snapshots.seller(entity),
        tax_treatment=decision.treatment.value,
        tax_note=decision.note,
        net=summed.document.net,
        tax=summed.document.tax,
        total=summed.document.total,
        channel=key.channel,
    )
    return Draft(invoice, lines, untaxed, decision)


def _sum(lines: Sequence[InvoiceLine], keys: Sequence[TaxKey], currency: str) -> Totals:
    summed = totals([(line.net, key) for line, key in zip(lines, keys, strict=True)], currency)
    for line, line_tax in zip(lines, summed.line_taxes, strict=True):
        line.tax = line_tax
    return summed


# What is counted on lines that are not priced by the unit of their SKU.
UNITS_OF_MONEY: dict[str, str] = {
    Charge.Kind.DRAWDOWN: "credit",
    Charge.Kind.WAIVER: "waived",
    Charge.Kind.MINIMUM: "true-up",
}


def _line(position: int, due: DueLine) -> InvoiceLine:
    charge, sku = due.charge, due.line.sku
    description = due.title or due.line.description or sku.name
    if charge.kind == Charge.Kind.MINIMUM:
        description = f"Minimum commitment: {description}"
    if charge.expected and due.line.schedule and not due.title:
        description = f"{description}: {', '.join(trace.labels(charge.expected))}"
    if charge.revision and not due.title:
        description = f"Correction: {description}"
    return InvoiceLine(
        position=position,
        kind=charge.kind,
        order_line=due.line,
        segment_id=charge.segment,
        service_from=charge.service_from,
        service_to=charge.service_to,
        sku_code=sku.code,
        description=description[:300],
        quantity=round_half_up(charge.quantity, QUANTITY_PLACES),
        unit=UNITS_OF_MONEY.get(charge.kind, sku.unit),
        net=charge.amount,  # rounded where the charge was made
        tax_category=sku.tax_category,
        treatment=sku.revenue_treatment,
        deferred=sku.revenue_treatment != AS_USED and due.line.timing != Timing.ARREARS,
        trace={**_trace(charge), **due.working},
        proposal=proposal(charge) | ({"entries": list(due.entries)} if due.entries else {}),
    )


def _trace(charge: ChargeLine) -> dict[str, object]:
    """The working of the expected charge, and what had been billed of it before."""
    working: dict[str, object] = trace.explain(charge.expected) if charge.expected else {}
    if charge.revision:
        now = charge.expected.amount if charge.expected else Decimal(0)
        working["correction"] = {
            "expected": str(now),
            "billed_before": str(charge.billed_before),
            "difference": str(charge.amount),
        }
    return working


def proposal(charge: ChargeLine) -> dict[str, object]:
    """What posting needs, beside the line itself, to write the charge."""
    return {
        "period_from": charge.period_from,
        "period_to": charge.period_to,
        "service_from": charge.service_from,
        "service_to": charge.service_to,
        "covers_from": charge.covers_from,
        "covers_to": charge.covers_to,
        "due_on": charge.due_on,
        "revision": charge.revision,
        "corrects": charge.corrects,
    }


def save(drafts: Sequence[Draft]) -> None:
    """Write the drafts: two statements, whatever their number."""
    Invoice.objects.bulk_create([one.invoice for one in drafts])
    for one in drafts:
        for line in one.lines:
            line.invoice = one.invoice
    InvoiceLine.objects.bulk_create([line for one in drafts for line in one.lines], batch_size=5000)
