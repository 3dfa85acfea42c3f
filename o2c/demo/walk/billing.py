"""Bill runs with two people, documents on their way, and the money that comes back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

from billing.models import BillRun, Dispute, Invoice, InvoiceDelivery, Receipt
from billing.services import applications, delivery, disputes, findings, posting, receipts, runs
from o2c import outbox
from o2c.access.system import system_actor
from o2c.controls import approvals
from o2c.controls.approvals.services.gate import needs_approval
from o2c.demo.plan.payments import PaymentPlan, payment
from o2c.demo.walk.cast import Cast
from o2c.ledger.models import LegalEntity

Advance = Callable[[int], None]


def bill(cast: Cast, entity: LegalEntity, on: dt.date, customer: int | None = None) -> BillRun:
    """One bill run dated `on`: Bea calculates and reviews, Anton releases, Bea posts. Posted once.

    With `customer`, a run of that customer alone, beside those of the calendar.
    """
    through = on + dt.timedelta(days=1)
    known = BillRun.objects.filter(entity=entity, through=through).exclude(state="cancelled")
    if customer is not None:
        known = known.filter(chunks__customer_ids=[customer])
    run = known.first()
    if run is None:
        run = runs.plan(
            entity_id=entity.pk, through=through, issue_on=on, actor=cast.bea, reason="Calendar",
            customer_ids=None if customer is None else [customer],
        )  # fmt: skip
    if run.state == BillRun.State.PLANNED:
        run = runs.calculate(run.pk, actor=cast.bea, reason="Calendar")
    if run.state == BillRun.State.CALCULATED:
        findings.acknowledge_all(run.pk, actor=cast.bea, reason="Looked at; first bills of new contracts")
        run = _release(cast, run)
    if run.state != BillRun.State.POSTED:
        run = posting.post(run.pk, actor=cast.bea, reason="Released")
    return run


def is_billed(customer: int, through: dt.date) -> bool:
    """Whether a run of this customer alone was posted for the days before `through`."""
    return BillRun.objects.filter(
        state=BillRun.State.POSTED, through=through, chunks__customer_ids=[customer]
    ).exists()


def _release(cast: Cast, run: BillRun) -> BillRun:
    """By Anton; a run beyond his limit by a request that Carla decides too."""
    why = "Totals agree with the plan of the month"
    if not needs_approval("billing.run.release", [run.pk]):
        return runs.release(run.pk, actor=cast.anton, reason=why)
    request = approvals.submit("billing.run.release", run.pk, actor=cast.bea, reason="Calendar")
    approvals.approve(request.pk, actor=cast.anton, reason=why)
    approvals.approve(request.pk, actor=cast.carla, reason="Beyond Anton's limit; agreed")
    return BillRun.objects.get(pk=run.pk)


def is_proposed(on: dt.date) -> bool:
    """Whether `propose` has been done for this day: the last thing that the walk does."""
    return BillRun.objects.filter(through=on + dt.timedelta(days=1), calculated_at__isnull=False).exists()


def propose(cast: Cast, entity: LegalEntity, on: dt.date) -> BillRun:
    """A run that waits for its second person: work that somebody finds on signing in."""
    through = on + dt.timedelta(days=1)
    run = BillRun.objects.filter(entity=entity, through=through).first()
    if run is None:
        run = runs.plan(entity_id=entity.pk, through=through, issue_on=on, actor=cast.bea, reason="Calendar")
    if run.state == BillRun.State.PLANNED:
        run = runs.calculate(run.pk, actor=cast.bea, reason="Calendar")
    return run


def deliver(advance: Advance) -> None:
    """Render and send every document that waits."""
    outbox.drain()
    sender = system_actor()
    while True:
        sent, _failed = delivery.send_due(actor=sender)
        advance(sent)
        if not sent:
            return


def waiting_documents() -> int:
    """How many documents `deliver` would send."""
    outbox.drain()
    return InvoiceDelivery.objects.filter(state=InvoiceDelivery.State.QUEUED).count()


def collect(cast: Cast, since: dt.date, until: dt.date, seed: int, advance: Advance) -> None:
    """The receipts whose value date lies in [since, until): recorded, matched, short payments accepted."""
    invoices = Invoice.objects.filter(
        state=Invoice.State.POSTED, kind=Invoice.Kind.INVOICE, channel=Invoice.Channel.DIRECT
    ).select_related("customer")
    known = set(Receipt.objects.values_list("external_id", flat=True))
    for invoice in invoices.order_by("pk").iterator(chunk_size=500):
        plan = payment(
            seed, invoice.number or "", invoice.total, invoice.currency, invoice.issue_date, invoice.due_date
        )
        if plan is None or not since <= plan.received_on < until:
            continue
        if f"BANK-{invoice.number}" not in known:
            _receive(cast, invoice, plan)
        advance(1)


def _receive(cast: Cast, invoice: Invoice, plan: PaymentPlan) -> None:
    receipt = receipts.record(
        entity_id=invoice.entity_id,
        customer_id=invoice.customer_id,
        currency=invoice.currency,
        amount=plan.amount,
        received_on=plan.received_on,
        reference=plan.reference,
        payer_name=invoice.customer.legal_name.upper(),
        external_id=f"BANK-{invoice.number}",
        actor=cast.remy,
        reason="Bank statement",
    )
    applied = applications.apply_proposal(receipt.pk, applied_on=plan.received_on, actor=cast.colin)
    paid = sum((one.amount for one in applied if one.invoice_id == invoice.pk), Decimal(0))
    rest = invoice.open_amount - paid
    if plan.short_reason and paid and 0 < rest <= 25:
        applications.accept_short_payment(
            invoice.pk, rest, reason_code=plan.short_reason, applied_on=plan.received_on, actor=cast.colin,
            reason="Bank charges of the payer",
        )  # fmt: skip


def dispute(cast: Cast, opened_on: dt.date) -> None:
    """One customer disputes the largest line of their newest invoice."""
    if Dispute.objects.exists():
        return
    invoice = (
        Invoice.objects.open()
        .filter(kind=Invoice.Kind.INVOICE, channel=Invoice.Channel.DIRECT, issue_date__lte=opened_on)
        .order_by("-total")
        .first()
    )
    if invoice is None:
        return
    line = invoice.lines.order_by("-net").first()
    disputes.open_dispute(
        invoice.pk,
        line_id=line.pk,
        reason_code="quantity",
        opened_on=opened_on,
        description="We count fewer seats than billed since the middle of the month.",
        actor=cast.colin,
        reason="E-mail of the customer",
    )
