"""Disputes: opened per document or line, and settled by a credit memo, a refusal or the customer."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from billing import events
from billing.models import Dispute, Invoice
from billing.services import credit_memos
from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput

CREDIT_REASON = {
    Dispute.Reason.PRICE: "price_correction",
    Dispute.Reason.QUANTITY: "quantity_correction",
    Dispute.Reason.SERVICE: "service_credit",
    Dispute.Reason.DUPLICATE: "billing_error",
    Dispute.Reason.TAX: "billing_error",
    Dispute.Reason.OTHER: "goodwill",
}


def open_dispute(
    invoice_id: int,
    *,
    reason_code: str,
    opened_on: dt.date,
    actor: Actor,
    line_id: int | None = None,
    amount: Decimal | None = None,
    description: str = "",
    reason: str = "",
) -> Dispute:
    """Open a dispute of an invoice, or of one line; `amount` (with tax) defaults to all of it.

    Raises Conflict when that is in dispute already or the invoice is not posted, InvalidInput for a
    line of another invoice, an unknown reason, or more than was billed.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.dispute.open", record=f"invoice {invoice_id}")
        if reason_code not in Dispute.Reason.values:
            raise InvalidInput(f"{reason_code!r} is not a reason for a dispute")
        invoice = locks.row(Invoice, invoice_id)
        if invoice.state != Invoice.State.POSTED or invoice.total <= 0:
            raise Conflict("Only a posted invoice can be disputed", record=str(invoice))
        limit = invoice.total
        if line_id is not None:
            line = invoice.lines.filter(pk=line_id).first()
            if line is None:
                raise InvalidInput(f"It has no line {line_id}", record=str(invoice))
            limit = line.net + line.tax
        contested = limit if amount is None else amount
        if not Decimal(0) < contested <= limit:
            raise InvalidInput(f"{contested} {invoice.currency} of {limit}", record=str(invoice))
        if invoice.disputes.filter(state=Dispute.State.OPEN, line_id=line_id).exists():
            raise Conflict("This is in dispute already", record=str(invoice))
        dispute = Dispute.objects.create(
            invoice=invoice,
            line_id=line_id,
            amount=contested,
            reason_code=reason_code,
            description=description,
            opened_on=opened_on,
        )
        events.invoice_event(events.DISPUTE_OPENED, invoice_id, dispute_id=dispute.pk)
        return dispute


def accept(pk: int, *, actor: Actor, on: dt.date | None = None, reason: str = "") -> Dispute:
    """The customer is right: draft the credit memo, which a second person posts.

    `on` dates the resolution and the memo; today by default, at the edge. The memo credits the
    disputed amount without its tax, from the line, or from the lines in order.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.dispute.accept", record=f"dispute {pk}")
        dispute = locks.row(Dispute, pk)
        day = on or clock.today()
        dispute.accept()
        dispute.credit_memo = credit_memos.draft_inside(
            dispute.invoice_id,
            reason_code=CREDIT_REASON[Dispute.Reason(dispute.reason_code)],
            issue_date=day,
            actor=actor,
            lines=_lines(dispute),
            reason=reason or dispute.get_reason_code_display(),
        )
        dispute.resolved_on, dispute.resolution = day, reason[:300]
        dispute.save()
        events.invoice_event(events.DISPUTE_RESOLVED, dispute.invoice_id, dispute_id=pk, outcome="accepted")
        return dispute


def _lines(dispute: Dispute) -> dict[int, Decimal]:
    """Which nets to credit so that with their tax the disputed amount is given back, to the nearest cent."""
    invoice = dispute.invoice
    left = credit_memos.creditable(invoice)
    rest = dispute.amount
    chosen: dict[int, Decimal] = {}
    for line in invoice.lines.order_by("position"):
        item = left.get(line.pk)
        if item is None or item.remaining_net <= 0 or rest <= 0:
            continue
        if dispute.line_id is not None and line.pk != dispute.line_id:
            continue
        gross = item.remaining_net + item.remaining_tax
        if gross <= rest:
            chosen[line.pk], rest = item.remaining_net, rest - gross
        else:
            net = credit_memos.net_of(rest, line.tax_rate, invoice.currency)
            chosen[line.pk] = min(net, item.remaining_net)
            rest = Decimal(0)
    return chosen


def reject(pk: int, *, actor: Actor, on: dt.date | None = None, reason: str = "") -> Dispute:
    """The invoice stands; it is dunned again."""
    return _close(pk, "reject", "billing.dispute.reject", actor, on, reason)


def withdraw(pk: int, *, actor: Actor, on: dt.date | None = None, reason: str = "") -> Dispute:
    """The customer took it back."""
    return _close(pk, "withdraw", "billing.dispute.withdraw", actor, on, reason)


def _close(pk: int, act: str, duty: str, actor: Actor, on: dt.date | None, reason: str) -> Dispute:
    with acting(actor, reason=reason):
        require(actor, duty, record=f"dispute {pk}")
        dispute = locks.row(Dispute, pk)
        getattr(dispute, act)()
        dispute.resolved_on, dispute.resolution = on or clock.today(), reason[:300]
        dispute.save()
        events.invoice_event(
            events.DISPUTE_RESOLVED, dispute.invoice_id, dispute_id=pk, outcome=dispute.state
        )
        return dispute
