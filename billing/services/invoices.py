"""Documents outside a run: drafting by hand, posting by a second person, voiding."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from billing import events, postings
from billing.domain.invoice_totals import totals
from billing.models import Invoice, InvoiceLine
from billing.selectors import snapshots
from billing.services import applications, posting
from billing.services.tax import Taxation
from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.errors import Conflict, InvalidInput
from o2c.ledger.models import AccountingPeriod
from o2c.money import quantize
from orders.models import Customer


@dataclass(frozen=True, slots=True)
class ManualLine:
    """A line entered by hand: `net` in whole minor units of the invoice's currency."""

    description: str
    net: Decimal
    quantity: Decimal = Decimal(1)
    unit: str = ""
    sku_code: str = ""
    tax_category: str = "standard"
    service_from: dt.date | None = None
    service_to: dt.date | None = None


def draft(
    *,
    customer_id: int,
    lines: Sequence[ManualLine],
    issue_date: dt.date,
    actor: Actor,
    po_number: str = "",
    terms_days: int | None = None,
    kind: str = Invoice.Kind.INVOICE,
    reason: str = "",
) -> Invoice:
    """Draft an invoice (or debit memo) for something that no contract line covers.

    Raises InvalidInput without lines, for a net that is not money, or when tax is due and no rate is
    known; Conflict for an inactive customer.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.invoice.draft")
        customer = locks.row(Customer, customer_id)
        if not lines:
            raise InvalidInput("An invoice has at least one line", record=customer.number)
        if kind == Invoice.Kind.CREDIT_MEMO:
            raise InvalidInput("A credit memo is drafted from the invoice that it credits")
        taxation = Taxation([issue_date])
        registrations = {r.country: r.number for r in customer.tax_registrations.all()}
        entity = customer.entity
        decision, tax_id = taxation.decide(entity, customer, Invoice.Channel.DIRECT, registrations)
        rows, keys = [], []
        for position, line in enumerate(lines, start=1):
            if line.net != quantize(line.net, customer.currency):
                raise InvalidInput(f"{line.net} {customer.currency} is not in whole minor units")
            taxed = taxation.of_line(decision, line.tax_category, issue_date)
            if taxed.missing:
                raise InvalidInput(
                    f"No tax rate for {line.tax_category} in {decision.country} {decision.region}".strip(),
                    record=customer.number,
                    remedy="Load the rate with manage.py load_tax_rates",
                    code="missing_tax_rate",
                )
            keys.append(taxed.key)
            rows.append(_manual(position, line, taxed.key.name, taxed.key.rate))
        summed = totals([(row.net, key) for row, key in zip(rows, keys, strict=True)], customer.currency)
        for row, line_tax in zip(rows, summed.line_taxes, strict=True):
            row.tax = line_tax
        days = customer.payment_terms_days if terms_days is None else terms_days
        invoice = Invoice.objects.create(
            kind=kind,
            entity=entity,
            customer=customer,
            currency=customer.currency,
            issue_date=issue_date,
            due_date=issue_date + dt.timedelta(days=days),
            po_number=po_number,
            terms_days=days,
            bill_to=snapshots.buyer(customer, tax_id),
            seller=snapshots.seller(entity),
            tax_treatment=decision.treatment.value,
            tax_note=decision.note,
            net=summed.document.net,
            tax=summed.document.tax,
            total=summed.document.total,
            reason=reason[:300],
            drafted_by_id=actor.user_id,
        )
        for row in rows:
            row.invoice = invoice
        InvoiceLine.objects.bulk_create(rows)
        return invoice


def _manual(position: int, line: ManualLine, tax_name: str, tax_rate: Decimal) -> InvoiceLine:
    return InvoiceLine(
        position=position,
        kind=InvoiceLine.Kind.MANUAL,
        sku_code=line.sku_code,
        description=line.description[:300],
        quantity=line.quantity,
        unit=line.unit,
        net=line.net,
        tax_category=line.tax_category,
        tax_name=tax_name,
        tax_rate=tax_rate,
        service_from=line.service_from,
        service_to=line.service_to,
        deferred=False,
        trace={"formula": f"entered by hand: {line.net}"},
    )


def post(pk: int, *, actor: Actor, reason: str = "") -> Invoice:
    """Post a document that somebody else drafted. A credit memo then settles what it corrects.

    Raises Conflict when the same person drafted it, when it belongs to a run, or when it is not a draft.
    """
    with acting(actor, reason=reason):
        invoice = locks.row(Invoice, pk)
        credits = invoice.kind == Invoice.Kind.CREDIT_MEMO
        require(actor, "billing.credit.post" if credits else "billing.invoice.post", record=str(invoice))
        if invoice.drafted_by_id == actor.user_id:
            raise Conflict(
                "Who drafted a document does not post it",
                record=str(invoice),
                remedy="Ask a second person to post it",
                code="same_person",
            )
        invoice.post()  # the declared transition: refuses what is not a draft, or belongs to a run
        if credits:
            approvals.gate("billing.credit.post", [pk])
        posting.post_documents([pk], actor=actor)
        posted = Invoice.objects.get(pk=pk)
        if credits and posted.corrects_id:
            _settle_corrected(posted)
        return Invoice.objects.get(pk=pk)


def _settle_corrected(memo: Invoice) -> None:
    """Use a credit memo against the invoice that it corrects, as far as that is open."""
    assert memo.corrects_id is not None
    corrected = locks.row(Invoice, memo.corrects_id)
    amount = min(corrected.open_amount, -memo.open_amount)
    if amount > 0:
        applications.use_credit(memo.pk, [(corrected.pk, amount)], memo.issue_date)


def discard(pk: int, *, actor: Actor, reason: str = "") -> None:
    """Delete a draft outside a run. It had no number, so nothing is missing afterwards."""
    with acting(actor, reason=reason):
        require(actor, "billing.invoice.draft", record=f"draft {pk}")
        invoice = locks.row(Invoice, pk)
        if invoice.state != Invoice.State.DRAFT or invoice.run_id is not None:
            raise Conflict("Only a draft outside a bill run can be discarded", record=str(invoice))
        invoice.delete()


# The charges given back, and with them what they drew of grants (or restored to them).
VOID_CHARGES = """
WITH given_back AS (
INSERT INTO billing_charge (line_id, segment_id, kind, currency, amount, quantity, revision, corrects_id,
    period_from, period_to, service_from, service_to, covers_from, covers_to, due_on, trace, run_id)
SELECT c.line_id, c.segment_id, c.kind, c.currency, -c.amount, -c.quantity, c.revision + 1,
       coalesce(c.corrects_id, c.id), c.period_from, c.period_to, c.service_from, c.service_to,
       c.covers_from, c.covers_from, c.due_on, jsonb_build_object('void_of', c.id, 'invoice', %(number)s),
       NULL
FROM billing_charge c JOIN billing_invoiceline l ON l.id = c.invoice_line_id
WHERE l.invoice_id = %(id)s
RETURNING id, line_id, segment_id, period_from, (trace->>'void_of')::bigint AS voided
)
INSERT INTO billing_grantentry (grant_id, kind, amount, occurred_on, line_id, segment_id, period_from,
    part_from, part_to, charge_id, reverses_id)
SELECT e.grant_id, CASE e.kind WHEN 'drawn' THEN 'restored' ELSE 'drawn' END, -e.amount, %(on)s, v.line_id,
       v.segment_id, v.period_from, e.part_from, e.part_to, v.id, CASE e.kind WHEN 'drawn' THEN e.id END
FROM given_back v JOIN billing_grantentry e ON e.charge_id = v.voided
ORDER BY e.id DESC
"""
LATER_CHARGE = """
SELECT i.number FROM billing_charge c JOIN billing_invoiceline l ON l.id = c.invoice_line_id
JOIN billing_charge d ON d.line_id = c.line_id AND d.segment_id = c.segment_id AND d.kind = c.kind
     AND d.period_from = c.period_from AND d.revision > c.revision
JOIN billing_invoiceline dl ON dl.id = d.invoice_line_id JOIN billing_invoice i ON i.id = dl.invoice_id
WHERE l.invoice_id = %s LIMIT 1
"""


def void(pk: int, *, actor: Actor, reason: str = "") -> Invoice:
    """Void a posted document: exact reversal on its own date, number kept, charges given back.

    Only while its accounting period is open, nothing is applied to it, nothing credits it and no later
    document corrects one of its charges; otherwise a credit memo is the way. What it charged is due
    again and the next run bills it as it should be now.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.invoice.void", record=f"invoice {pk}")
        if not reason.strip():
            raise InvalidInput("Say why the document is voided", record=f"invoice {pk}")
        invoice = locks.row(Invoice, pk)
        _require_voidable(invoice)
        invoice.void()
        invoice.voided_on = invoice.issue_date
        invoice.save(update_fields=["state", "voided_on"])
        key = f"billing.invoice:{pk}"
        postings.post_reversal(
            reverses=key,
            reverses_rule="invoice.posted",
            event_key=key,
            rule="invoice.voided",
            on=invoice.issue_date,
        )
        with connection.cursor() as cursor:
            cursor.execute(VOID_CHARGES, {"id": pk, "number": invoice.number, "on": invoice.issue_date})
        events.invoice_event(events.INVOICE_VOIDED, pk)
        return invoice


def _require_voidable(invoice: Invoice) -> None:
    remedy = "Credit it with a credit memo instead"
    period = AccountingPeriod.objects.filter(
        entity_id=invoice.entity_id, starts_on__lte=invoice.issue_date, ends_on__gt=invoice.issue_date
    ).first()
    if period is None or period.state == AccountingPeriod.State.CLOSED:
        raise Conflict(f"The period of {invoice.issue_date} is closed", record=str(invoice), remedy=remedy)
    if invoice.credit_memos.exclude(state=Invoice.State.VOID).exists():
        raise Conflict("A credit memo corrects it", record=str(invoice), remedy=remedy)
    with connection.cursor() as cursor:
        cursor.execute(LATER_CHARGE, [invoice.pk])
        later = cursor.fetchone()
    if later:
        raise Conflict(f"{later[0]} corrects one of its charges", record=str(invoice), remedy=remedy)
