"""Two customers paid the same invoice twice: one refund waits for the bank, one for a signature."""

from __future__ import annotations

import datetime as dt

from billing.models import Invoice, Refund
from billing.services import asking, receipts, refunds
from o2c.controls import approvals
from o2c.demo.walk.cast import Cast

WHY = "The customer paid twice and asks for the second payment back"
ACCOUNTS = ("US64SVBKUS6S3300958879", "GB82WEST12345698765432")


def lay_out(cast: Cast, today: dt.date) -> None:
    """Second payments of settled invoices, dated `today`, and their refunds; done once."""
    if Refund.objects.exists():
        return
    paid = Invoice.objects.filter(
        state=Invoice.State.POSTED,
        kind=Invoice.Kind.INVOICE,
        channel=Invoice.Channel.DIRECT,
        currency="USD",
        applications__kind="receipt",
    ).select_related("customer")
    drafts = [
        _second_payment(cast, invoice, account, today)
        for invoice, account in zip(paid.order_by("total", "pk").distinct()[:2], ACCOUNTS, strict=False)
    ]
    asked = [asking.refund(draft.pk, actor=cast.bea, reason=WHY) for draft in drafts]
    for request in asked[:1]:
        approvals.approve(request.pk, actor=cast.anton, reason="Both payments are on the statement")
        if Refund.objects.get(pk=request.subject_id).state == Refund.State.DRAFT:
            approvals.approve(request.pk, actor=cast.carla, reason="Seen")


def _second_payment(cast: Cast, invoice: Invoice, account: str, today: dt.date) -> Refund:
    receipt = receipts.record(
        entity_id=invoice.entity_id,
        customer_id=invoice.customer_id,
        currency=invoice.currency,
        amount=invoice.total,
        received_on=today,
        reference=f"{invoice.number} again",
        payer_name=invoice.customer.legal_name.upper(),
        payer_account=account,
        external_id=f"BANK-{invoice.number}-2",
        actor=cast.remy,
        reason="Bank statement",
    )
    return refunds.draft(
        receipt_id=receipt.pk,
        amount=receipt.amount,
        refund_on=today,
        reason_code=Refund.Reason.DUPLICATE,
        actor=cast.bea,
        reason=WHY,
    )
