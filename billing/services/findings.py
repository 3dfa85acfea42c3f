"""What a person should look at before a run is released.

Each check is one row of `Found`; codes and severities are listed in CHECKS so that a page can explain
them. A blocker cannot be acknowledged: it is cured and the run calculated again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.models import BillRun, BillRunFinding, Charge, Invoice, InvoiceLine
from billing.selectors import runs as run_selectors
from billing.services.drafting import Draft
from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput
from o2c.money import quantize
from orders.models import Customer, Order

ZERO = Decimal(0)
JUMP_RATIO = Decimal("0.5")
JUMP_FLOOR = Decimal(100)
RETURNING = (Charge.Kind.RECURRING, Charge.Kind.USAGE, Charge.Kind.MINIMUM)

INFO, WARNING, BLOCKER = (
    BillRunFinding.Severity.INFO,
    BillRunFinding.Severity.WARNING,
    BillRunFinding.Severity.BLOCKER,
)


@dataclass(frozen=True, slots=True)
class Check:
    severity: BillRunFinding.Severity
    meaning: str


CHECKS: dict[str, Check] = {
    "cannot_rate": Check(BLOCKER, "A contract cannot be charged: a price, segment or usage is wrong"),
    "missing_tax_rate": Check(BLOCKER, "Tax is due and the rate table has no rate for it"),
    "recalculation": Check(BLOCKER, "The second calculator comes to another amount than the draft"),
    "not_recalculated": Check(
        WARNING, "A clause that the second calculator does not know: look at the amount"
    ),
    "negative_total": Check(WARNING, "Corrections outweigh charges: a credit memo is drafted"),
    "zero_invoice": Check(WARNING, "Charges and corrections come to zero"),
    "jump": Check(WARNING, "Service that differs by more than half from the daily rates of its last billing"),
    "missing_po": Check(WARNING, "The customer's other orders name a PO, this document does not"),
    "no_address": Check(WARNING, "The customer has no e-mail address for invoices"),
    "unmatched_usage": Check(WARNING, "Usage waits that no line could be found for"),
    "uncovered_usage": Check(WARNING, "Usage on days that no segment of its line covers"),
    "first_billing": Check(INFO, "The customer is billed for the first time"),
}


def finding(run: BillRun, code: str, message: str, **where: object) -> BillRunFinding:
    return BillRunFinding(run=run, code=code, severity=CHECKS[code].severity, message=message[:500], **where)


def of_drafts(run: BillRun, drafts: Sequence[Draft]) -> list[BillRunFinding]:
    """Findings of a chunk's drafts, which are saved already."""
    found: list[BillRunFinding] = []
    for draft in drafts:
        found += _of_one(run, draft)
    return found + _jumps(run, drafts) + _missing_po(run, drafts)


def _of_one(run: BillRun, draft: Draft) -> Iterable[BillRunFinding]:
    invoice = draft.invoice
    where = {"customer": invoice.customer, "invoice": invoice, "currency": invoice.currency}
    if draft.untaxed:
        place = "-".join(part for part in (draft.decision.country, draft.decision.region) if part)
        categories = ", ".join(sorted({line.tax_category for line in draft.untaxed}))
        net = sum((line.net for line in draft.untaxed), ZERO)
        yield finding(
            run,
            "missing_tax_rate",
            f"No tax rate for {categories} in {place} on {invoice.issue_date}",
            amount=net,
            **where,
        )
    if invoice.total < 0:
        yield finding(
            run,
            "negative_total",
            f"Corrections outweigh charges by {-invoice.net:,}",
            amount=invoice.total,
            **where,
        )
    if invoice.total == 0:
        yield finding(run, "zero_invoice", f"{len(draft.lines)} lines come to zero", amount=ZERO, **where)
    if invoice.channel == Invoice.Channel.DIRECT and not invoice.bill_to.get("email"):
        yield finding(run, "no_address", "No billing e-mail address", amount=invoice.total, **where)


def _jumps(run: BillRun, drafts: Sequence[Draft]) -> list[BillRunFinding]:
    """What a customer's lines come to, beside what the same service comes to at their last daily rates.

    Corrections, one-time charges and lines that were never billed are compared with nothing.
    """
    known = run_selectors.billed_before(sorted({d.invoice.customer_id for d in drafts}), run.pk)
    daily = run_selectors.last_daily(
        sorted({line.order_line_id for d in drafts for line in d.lines if line.order_line_id})
    )
    by_buyer: dict[tuple[int, str, str], list[Draft]] = {}
    for draft in drafts:
        invoice = draft.invoice
        by_buyer.setdefault((invoice.customer_id, invoice.currency, invoice.channel), []).append(draft)
    found: list[BillRunFinding] = []
    for buyer, theirs in by_buyer.items():
        invoice = theirs[0].invoice
        where = {"customer": invoice.customer, "invoice": invoice, "currency": invoice.currency}
        if buyer not in known:
            net = sum((draft.invoice.net for draft in theirs), ZERO)
            found.append(finding(run, "first_billing", f"First billing, {net:,}", amount=net, **where))
            continue
        now, before = _compared([line for draft in theirs for line in draft.lines], daily, invoice.currency)
        if abs(now - before) > max(JUMP_RATIO * abs(before), JUMP_FLOOR):
            change = f"{(now - before) * 100 / before:+.0f} %" if before else "from zero"
            message = f"{now:,} where the rates of the last billing come to {before:,} ({change})"
            found.append(finding(run, "jump", message, amount=now - before, **where))
    return found


def _compared(
    lines: Iterable[InvoiceLine], daily: Mapping[tuple[int, str], Fraction], currency: str
) -> tuple[Decimal, Decimal]:
    """Net of the lines that were billed before, and what their days come to at the daily rates of then."""
    now, before = ZERO, Fraction(0)
    for line in lines:
        if not (line.order_line_id and line.service_from and line.service_to):
            continue
        rate = daily.get((line.order_line_id, line.kind))
        if rate is None or line.kind not in RETURNING or (line.proposal or {}).get("revision"):
            continue
        now += line.net
        before += rate * (line.service_to - line.service_from).days
    return now, quantize(before, currency)


def _missing_po(run: BillRun, drafts: Sequence[Draft]) -> list[BillRunFinding]:
    without = [draft.invoice for draft in drafts if not draft.invoice.po_number]
    users = set(
        Order.objects.filter(customer_id__in={invoice.customer_id for invoice in without})
        .exclude(po_number="")
        .values_list("customer_id", flat=True)
    )
    return [
        finding(
            run,
            "missing_po",
            "No PO number, though other orders of the customer have one",
            customer=invoice.customer,
            invoice=invoice,
            currency=invoice.currency,
            amount=invoice.total,
        )
        for invoice in without
        if invoice.customer_id in users
    ]


def cannot_rate(run: BillRun, customer: Customer, message: str) -> BillRunFinding:
    return finding(run, "cannot_rate", message, customer=customer, currency=customer.currency)


def acknowledge(pk: int, *, actor: Actor, reason: str = "") -> BillRunFinding:
    """Say that a finding is all right, and why.

    Raises InvalidInput without a reason, Conflict for a blocker or a run that is past review.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.run.acknowledge", record=f"finding {pk}")
        if not reason.strip():
            raise InvalidInput("Say why the finding is all right", record=f"finding {pk}")
        row = locks.row(BillRunFinding, pk)
        run = locks.row(BillRun, row.run_id)
        if run.state != BillRun.State.CALCULATED:
            raise Conflict("Only findings of a calculated run are reviewed", record=run.number)
        if row.severity == BLOCKER:
            raise Conflict(
                "A blocker is cured, not acknowledged",
                record=str(row),
                remedy="Correct its cause, discard the drafts and calculate again",
            )
        row.acknowledged_by_id, row.acknowledged_at = actor.user_id, clock.now()
        row.acknowledgement = reason[:300]
        row.save(update_fields=["acknowledged_by", "acknowledged_at", "acknowledgement"])
        return row


def acknowledge_all(run_id: int, *, actor: Actor, reason: str = "", codes: Sequence[str] = ()) -> int:
    """Acknowledge every open finding of a run (of these codes), in one statement; how many."""
    with acting(actor, reason=reason):
        require(actor, "billing.run.acknowledge", record=f"run {run_id}")
        if not reason.strip():
            raise InvalidInput("Say why the findings are all right", record=f"run {run_id}")
        run = locks.row(BillRun, run_id)
        if run.state != BillRun.State.CALCULATED:
            raise Conflict("Only findings of a calculated run are reviewed", record=run.number)
        rows = run.findings.filter(acknowledged_at__isnull=True).exclude(severity=BLOCKER)
        if codes:
            rows = rows.filter(code__in=codes)
        return rows.update(
            acknowledged_by_id=actor.user_id, acknowledged_at=clock.now(), acknowledgement=reason[:300]
        )
