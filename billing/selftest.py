"""Specimens of billing for the self-test: documents, cash, refunds and bill runs, waiting and through."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from billing import selftest_imports
from billing.models import Invoice, InvoiceDelivery, Refund
from billing.services import (
    applications,
    credit_memos,
    delivery,
    disputes,
    findings,
    invoices,
    posting,
    receipts,
    refunds,
    runs,
)
from o2c.access.system import system_actor
from o2c.actor import acting
from o2c.controls.selftest.world import REASON, Subject, World
from o2c.periods import add_months

_OWN = "takes no argument and runs in the product's own name"
IDLE = {
    "command import_usage": "runs as the account of metering; its importer is tried as everybody",
    "task billing.bill_thresholds": f"{_OWN}; what it drafts is released by somebody",
    "task billing.compare_contracts": f"{_OWN}; keeps what it found",
    "task billing.expire_grants": f"{_OWN}; at the end that was agreed to",
    "task billing.match_receipts": f"{_OWN}; applies receipts that name their invoice",
    "task billing.remind": _OWN,
    "task billing.send_documents": _OWN,
    "task billing.sweep_deliveries": _OWN,
}


def build(world: World) -> None:
    invoice = _invoice(world, "100000.00")
    world.records["invoice"] = invoice
    _credits(world, invoice)
    _cash(world, invoice)
    _refunds(world, invoice)
    _runs(world)
    _large_run(world)
    _delivery(world, invoice)
    selftest_imports.build(world)


def _invoice(world: World, net: str, *, posted: bool = True) -> Invoice:
    draft = invoices.draft(
        customer_id=world.records["customer"].pk,
        lines=[invoices.ManualLine("Self-test", Decimal(net))],
        issue_date=world.month,
        terms_days=30,
        actor=world.person("billing_ops"),
        reason=REASON,
    )
    return invoices.post(draft.pk, actor=world.person("approver"), reason=REASON) if posted else draft


def _credit(world: World, invoice: Invoice, net: str, *, months: int = 0) -> Invoice:
    return credit_memos.draft(
        invoice.pk,
        reason_code="billing_error",
        issue_date=add_months(world.month, months),
        lines={invoice.lines.get().pk: Decimal(net)},
        actor=world.person("billing_ops"),
        reason=REASON,
    )


def _credits(world: World, invoice: Invoice) -> None:
    _invoice(world, "10.00", posted=False)
    invoices.post(_credit(world, invoice, "100.00").pk, actor=world.person("approver"), reason=REASON)
    _credit(world, invoice, "200.00")
    wanting = _credit(world, invoice, "20000.00", months=2)
    world.subjects["billing.credit.post"] = Subject(
        wanting.pk,
        world.person("billing_ops"),
        world.person("approver"),
        by_hand="UPDATE billing_invoice SET state = 'posted', number = 'ZT-' || id,"
        " posted_at = statement_timestamp(),"
        " posted_by_id = o2c_actor() WHERE id = %s",
        edit="UPDATE billing_invoiceline SET description = description || '.' WHERE invoice_id = %s",
    )


def _cash(world: World, invoice: Invoice) -> None:
    day = world.month + dt.timedelta(days=9)
    clerk, collector = world.person("cash_receipts"), world.person("collections")
    received = [
        receipts.record(
            entity_id=invoice.entity_id, customer_id=invoice.customer_id, currency="USD",
            amount=Decimal("60.00"), received_on=day, reference=REASON, actor=clerk, reason=REASON,
        )
        for _ in range(2)
    ]  # fmt: skip
    applications.apply(
        received[0].pk, [(invoice.pk, Decimal("20.00"))], applied_on=day, actor=collector, reason=REASON
    )
    applications.accept_short_payment(
        invoice.pk,
        Decimal("5.00"),
        reason_code="bank_charges",
        applied_on=day,
        actor=collector,
        reason=REASON,
    )
    disputes.open_dispute(
        invoice.pk, reason_code="quantity", opened_on=day, line_id=invoice.lines.get().pk, actor=collector,
        description=REASON, reason=REASON,
    )  # fmt: skip
    later = add_months(world.month, 2)  # a month that stays open
    world.subjects["billing.writeoff.post"] = Subject(
        invoice.pk,
        collector,
        world.person("approver"),
        by_hand="INSERT INTO billing_application (kind, invoice_id, amount, applied_on, reason_code, note,"
        " matched_by, functional_difference) SELECT 'write_off', id, 900, issue_date, 'insolvency', '',"
        " 'person', 0"
        " FROM billing_invoice WHERE id = %s",
        parameters={"amount": Decimal("900.00"), "reason_code": "insolvency", "applied_on": later},
    )
    world.subjects["billing.shortpay.accept"] = Subject(
        invoice.pk,
        collector,
        world.person("approver"),
        by_hand="INSERT INTO billing_application (kind, invoice_id, amount, applied_on, reason_code, note,"
        " matched_by, functional_difference) SELECT 'short_pay', id, 900, issue_date, 'bank_charges', '',"
        " 'person', 0 FROM billing_invoice WHERE id = %s",
        parameters={"amount": Decimal("900.00"), "reason_code": "bank_charges", "applied_on": later},
    )
    world.subjects["billing.grant.promote"] = Subject(
        invoice.customer_id,
        world.person("billing_ops"),
        world.person("approver"),
        by_hand="INSERT INTO billing_grant (customer_id, entity_id, currency, origin, granted,"
        " paid, remaining, priority, starts_on, scope, rollover_percent, rollover_months, opened_by_id,"
        " reason)"
        f" SELECT %s, {invoice.entity_id}, 'USD', 'promotional', 5000, 0, 0, 100, DATE '{later}',"
        " '{}', 0, 0, o2c_actor(), 'self-test'",
        parameters={"amount": Decimal("5000.00"), "starts_on": later},
    )


def _refunds(world: World, invoice: Invoice) -> None:
    """One drafted, one released, one paid, one that failed, in the month that closes; one to be asked for."""
    came_in = world.month + dt.timedelta(days=9)
    world.signed["billing.refund", "released"] = {
        "released_by_id": "o2c_actor()",
        "released_at": "statement_timestamp()",
    }
    for state in ("draft", "released", "paid", "failed"):
        refund = _refund(world, invoice, came_in, came_in + dt.timedelta(days=15), "US330001000000000001")
        on = refund.refund_on
        if state != "draft":
            refunds.release(refund.pk, actor=world.person("approver"), reason=REASON)
        if state in ("paid", "failed"):
            refunds.record_paid(
                refund.pk, paid_on=on, payment_reference=f"ZT-{refund.pk}",
                actor=world.person("cash_receipts", 2), reason=REASON,
            )  # fmt: skip
        if state == "failed":
            refunds.record_failure(
                refund.pk, failed_on=on, failure=REASON, actor=world.person("cash_receipts", 2), reason=REASON
            )
    asked = _refund(world, invoice, came_in, add_months(world.month, 2), "")
    world.subjects["billing.refund.release"] = Subject(
        asked.pk,
        world.person("billing_ops"),
        world.person("approver"),
        by_hand="UPDATE billing_refund SET state = 'released', released_at = statement_timestamp(),"
        " released_by_id = o2c_actor() WHERE id = %s",
        edit="UPDATE billing_refund SET payee_name = payee_name || '.' WHERE id = %s",
    )


def _refund(world: World, invoice: Invoice, came_in: dt.date, on: dt.date, account: str) -> Refund:
    """The draft of a refund of money that the bank brought; without `account` it did not say from where."""
    receipt = receipts.record(
        entity_id=invoice.entity_id, customer_id=invoice.customer_id, currency="USD", amount=Decimal("40.00"),
        received_on=came_in, reference=REASON, payer_account=account, actor=world.person("cash_receipts", 2),
        reason=REASON,
    )  # fmt: skip
    return refunds.draft(
        receipt_id=receipt.pk, amount=Decimal("30.00"), refund_on=on, reason_code="overpaid",
        payee=refunds.Payee(account=account or "US330001000000000002"),
        actor=world.person("billing_ops"), reason=REASON,
    )  # fmt: skip


def _runs(world: World) -> None:
    world.signed["billing.billrun", "released"] = {
        "released_by_id": "o2c_actor()",
        "released_at": "statement_timestamp()",
    }
    maker = world.person("billing_ops")
    for months, posted in ((1, True), (2, False)):
        through = add_months(world.month, months)
        run = runs.plan(
            entity_id=world.records["entity"].pk, through=through, issue_on=through - dt.timedelta(days=1),
            customer_ids=[world.records["customer"].pk], actor=maker, reason=REASON,
        )  # fmt: skip
        run = runs.calculate(run.pk, actor=maker, reason=REASON)
        findings.acknowledge_all(run.pk, actor=maker, reason=REASON)
        world.records["run"] = run
        if posted:
            run = runs.release(run.pk, actor=world.person("approver"), reason=REASON)
            posting.post(run.pk, actor=maker, reason=REASON)


def _large_run(world: World) -> None:
    maker, through = world.person("billing_ops"), add_months(world.month, 1)
    order = world.records["large"]
    run = runs.plan(
        entity_id=order.entity_id, through=through, issue_on=through - dt.timedelta(days=1),
        customer_ids=[order.customer_id], actor=maker, reason=REASON,
    )  # fmt: skip
    run = runs.calculate(run.pk, actor=maker, reason=REASON)
    findings.acknowledge_all(run.pk, actor=maker, reason=REASON)
    world.subjects["billing.run.release"] = Subject(
        run.pk,
        maker,
        world.person("approver"),
        by_hand="UPDATE billing_billrun SET state = 'released', released_by_id = o2c_actor(),"
        " released_at = statement_timestamp() WHERE id = %s",
        others=(world.person("controller"),),
    )


def _delivery(world: World, invoice: Invoice) -> None:
    """Claimed, and never sent: the mail server is not asked."""
    world.signed["billing.invoicedelivery", "sent"] = {"sent_at": "statement_timestamp()"}
    delivery.queue([invoice.pk], actor=world.person("billing_ops"), reason=REASON)
    with acting(system_actor(), reason=REASON):
        InvoiceDelivery.objects.filter(invoice=invoice).update(state=InvoiceDelivery.State.SENDING)
