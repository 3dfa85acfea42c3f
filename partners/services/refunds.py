"""Refunds that a marketplace is asked to give a buyer: drafted, approved by another, cancelled."""

from datetime import date
from decimal import Decimal

from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict, InvalidInput
from o2c.money import quantize
from partners.models import AwsAgreement, MarketplaceRefund
from partners.selectors.refunds import refundable

ACT = "partners.refund.approve"


def draft(
    agreement_id: int,
    *,
    invoice_ref: str,
    amount: Decimal,
    reason_code: str,
    description: str,
    requested_on: date | None = None,
    actor: Actor,
    reason: str = "",
) -> MarketplaceRefund:
    """Draft a refund of one invoice at AWS, before tax, in the agreement's currency.

    Raises InvalidInput for an unknown reason, no description, or an amount beyond what AWS billed of this
    agreement on this invoice and nobody refunded or asked for yet.
    """
    with acting(actor, reason=reason or description):
        agreement: AwsAgreement = locks.row(AwsAgreement, agreement_id)
        require(actor, "partners.refund.draft", record=agreement.number)
        if reason_code not in MarketplaceRefund.Reason.values:
            raise InvalidInput(
                f"{reason_code!r} is no reason of AWS",
                record=agreement.number,
                remedy=f"Choose one of {', '.join(MarketplaceRefund.Reason.values)}",
            )
        if not description.strip():
            raise InvalidInput("Say what went wrong", record=agreement.number)
        left = refundable(agreement_id, invoice_ref)
        if left.invoiced_on is None:
            raise InvalidInput(
                f"AWS's feed shows no invoice {invoice_ref} of this agreement",
                record=agreement.number,
                remedy="Choose one of those on the agreement's page",
            )
        if amount <= 0 or amount != quantize(amount, agreement.currency) or amount > left.left:
            raise InvalidInput(
                f"{amount} {agreement.currency} cannot be refunded:"
                f" {quantize(left.left, agreement.currency)} is left of"
                f" {quantize(left.billed, agreement.currency)}",
                record=f"invoice {invoice_ref}",
                remedy="Refund at most what is left; cancel a draft that is not wanted",
            )
        return MarketplaceRefund.objects.create(
            agreement=agreement,
            invoice_ref=invoice_ref,
            amount=amount,
            currency=agreement.currency,
            reason_code=reason_code,
            description=description.strip(),
            requested_on=requested_on or clock.today(),
            drafted_by_id=actor.user_id,
        )


def approve(pk: int, *, actor: Actor, reason: str = "") -> MarketplaceRefund:
    """Agree to what somebody else drafted. Above the limits of its policy it takes a request instead."""
    with acting(actor, reason=reason):
        row = _locked(pk)
        require(actor, "partners.refund.approve", record=str(row))
        if row.drafted_by_id == actor.user_id:
            raise Conflict(
                "Who drafted a refund may not approve it", record=str(row), remedy="Ask a colleague"
            )
        row.approve()
        row.approved_by_id, row.approved_at = actor.user_id, clock.now()
        row.save()
        approvals.gate(ACT, [pk])
        return row


def ask(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask for the approvals that the refund needs."""
    return approvals.submit(ACT, pk, actor=actor, reason=reason)


def cancel(pk: int, *, actor: Actor, reason: str = "") -> MarketplaceRefund:
    """Take a refund back that AWS does not have yet; what it would have taken is free again."""
    with acting(actor, reason=reason):
        row = _locked(pk)
        require(actor, "partners.refund.cancel", record=str(row))
        row.cancel()
        row.save()
        return row


def _locked(pk: int) -> MarketplaceRefund:
    """The refund, locked behind its agreement: the table's guard locks in this order."""
    agreement_id = MarketplaceRefund.objects.filter(pk=pk).values_list("agreement_id", flat=True).first()
    if agreement_id is not None:
        locks.row(AwsAgreement, agreement_id)
    row: MarketplaceRefund = locks.row(MarketplaceRefund, pk)
    return row
