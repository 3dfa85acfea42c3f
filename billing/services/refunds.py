"""Money back to a customer: drafted by one person, released by another, found on the bank's statement.

A draft holds nothing back: until it is released its source can be applied, and then the release is refused.
Rows are locked the refund first, then invoices, then the receipt, as applications take them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal

from billing import events, postings
from billing.models import Invoice, Receipt, Refund
from billing.models.refund import PAYEE
from billing.postings import Side
from billing.selectors.carrying import carried, share, translated
from billing.selectors.refunds import paid_by, refundable
from o2c import clock, ledger, locks, numbering
from o2c.access import require
from o2c.access.services import reads
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.errors import Conflict, InvalidInput, NotAuthorised, NotFound
from o2c.ledger.models import LegalEntity
from o2c.money import quantize
from o2c.vault import opened

ZERO = Decimal(0)
RELEASED, PAID = "refund.released", "refund.paid"
FAILED, RETURNED = "refund.failed", "refund.returned"


@dataclass(frozen=True, slots=True)
class Payee:
    """Where the money goes. What is empty is taken from the receipt that is paid back.

    `account` in clear, as people write it. By card only `processor_reference`, the processor's payment.
    """

    method: str = ""
    name: str = ""
    account: str = ""
    routing: str = ""
    swift: str = ""
    processor_reference: str = ""


def account_number(said: str) -> str:
    """An account number without its spaces, in capitals: as it is compared."""
    return "".join(said.split()).upper()


def draft(
    *,
    amount: Decimal,
    refund_on: dt.date,
    reason_code: str,
    actor: Actor,
    receipt_id: int | None = None,
    credit_memo_id: int | None = None,
    payee: Payee | None = None,
    reason: str = "",
) -> Refund:
    """Draft the refund of `amount` of a receipt or of a credit memo, in its currency; returns the draft.

    Raises InvalidInput for an amount that is not money, an unknown reason or an account that is missing;
    Conflict when less is left, for a credit memo whose invoice was not paid, or for what a marketplace
    collected and pays back itself.
    """
    with acting(actor, reason=reason):
        require(
            actor, "billing.refund.draft", record=f"receipt {receipt_id or '-'}, memo {credit_memo_id or '-'}"
        )
        source = _source(receipt_id, credit_memo_id)
        _check(source, amount, reason_code)
        refund = Refund(
            number=numbering.take(source.entity_id, "RFD", refund_on.year)[0],
            entity_id=source.entity_id,
            customer_id=source.customer_id,
            currency=source.currency,
            receipt_id=receipt_id,
            credit_memo_id=credit_memo_id,
            amount=amount,
            refund_on=refund_on,
            reason_code=reason_code,
            drafted_by_id=actor.user_id,
            **_payee(payee or Payee(), source),
        )
        refund.save()
        return refund


def revise(
    pk: int,
    *,
    actor: Actor,
    amount: Decimal,
    refund_on: dt.date,
    reason_code: str,
    payee: Payee | None = None,
    reason: str = "",
) -> Refund:
    """Change a draft; without `payee`, or where it says nothing, the account stays.

    Raises as `draft`, and Conflict once it is released.
    """
    with acting(actor, reason=reason):
        refund: Refund = locks.row(Refund, pk)
        require(actor, "billing.refund.draft", record=refund.number)
        if refund.state != Refund.State.DRAFT:
            raise Conflict(
                f"It is {refund.get_state_display().lower()}",
                record=refund.number,
                remedy="Only a draft is changed",
            )
        source = _source(refund.receipt_id, refund.credit_memo_id)
        _check(source, amount, reason_code)
        refund.amount, refund.refund_on, refund.reason_code = amount, refund_on, reason_code
        if payee is not None:
            for name, value in _payee(_kept(payee, refund), source).items():
                setattr(refund, name, value)
        refund.save()
        return refund


def cancel(pk: int, *, actor: Actor, reason: str = "") -> Refund:
    """Cancel a draft: it is not paid, and keeps its number."""
    with acting(actor, reason=reason):
        refund: Refund = locks.row(Refund, pk)
        require(actor, "billing.refund.cancel", record=refund.number)
        refund.cancel()
        refund.save()
        return refund


def release(pk: int, *, actor: Actor, reason: str = "") -> Refund:
    """Release a refund that somebody else drafted: its source is less by it, and the bank may be told.

    Raises Conflict when it needs approval, when its source was used meanwhile, or by whoever drafted it;
    ClosedPeriod when its date lies in a closed period.
    """
    with acting(actor, reason=reason):
        refund: Refund = locks.row(Refund, pk)
        require(actor, "billing.refund.release", record=refund.number)
        if refund.drafted_by_id == actor.user_id:
            raise NotAuthorised(
                "You drafted it: a second person releases it", record=refund.number, code="maker_is_checker"
            )
        source = _source(refund.receipt_id, refund.credit_memo_id)
        refund.release()
        _check(source, refund.amount, refund.reason_code, record=refund.number)
        if refund.customer_id != source.customer_id:
            raise Conflict(
                f"{source} has another payer now", record=refund.number, remedy="Cancel it and draft another"
            )
        refund.released_by_id, refund.released_at = actor.user_id, clock.now()
        given, owed = _sides(refund, source)
        refund.functional_difference = (given.functional or ZERO) - (owed.functional or ZERO)
        refund.save()  # the database takes it off its source
        approvals.gate("billing.refund.release", [pk])
        _post(RELEASED, refund, given, owed, refund.refund_on)
        events.refund_event(events.REFUND_RELEASED, pk)
        return refund


def record_paid(
    pk: int, *, paid_on: dt.date, payment_reference: str, actor: Actor, reason: str = ""
) -> Refund:
    """The bank's statement shows the payment, by its id: Dr refunds payable, Cr cash, on the value date.

    Raises InvalidInput without the bank's id or for a day before the refund's.
    """
    with acting(actor, reason=reason):
        refund: Refund = locks.row(Refund, pk)
        require(actor, "billing.refund.record_paid", record=refund.number)
        if not payment_reference.strip() or paid_on < refund.refund_on:
            raise InvalidInput(
                f"A payment has its id at the bank, and a value date from {refund.refund_on} on",
                record=refund.number,
                remedy="Take both from the bank's statement",
            )
        refund.pay()
        refund.paid_on, refund.payment_reference = paid_on, payment_reference.strip()[:100]
        refund.save()
        _post_payment(refund)
        events.refund_event(events.REFUND_PAID, pk)
        return refund


def record_failure(pk: int, *, failed_on: dt.date, failure: str, actor: Actor, reason: str = "") -> Refund:
    """The bank refused it, or sent it back: all its journals are reversed and its source has it again.

    Raises InvalidInput without what the bank said, or for a day before the refund was released or paid.
    """
    with acting(actor, reason=reason):
        refund: Refund = locks.row(Refund, pk)
        require(actor, "billing.refund.record_failure", record=refund.number)
        earliest = refund.paid_on or refund.refund_on
        if not failure.strip() or failed_on < earliest:
            raise InvalidInput(f"Say what the bank said, and a day from {earliest} on", record=refund.number)
        _source(refund.receipt_id, refund.credit_memo_id)
        refund.fail()
        refund.failed_on, refund.failure = failed_on, failure.strip()[:300]
        refund.save()  # the database gives it back to its source
        _reverse(refund)
        events.refund_event(events.REFUND_FAILED, pk)
        return refund


def reveal_payee(pk: int, *, actor: Actor, reason: str = "") -> dict[str, str]:
    """Where a refund is paid to, in clear; that somebody read it is recorded, and why.

    Raises InvalidInput without a reason.
    """
    with acting(actor, reason=reason):
        refund = Refund.objects.filter(pk=pk).first()
        if refund is None:
            raise NotFound(f"There is no refund {pk}")
        require(actor, "billing.refund.reveal", record=refund.number)
        if not reason.strip():
            raise InvalidInput("Say why", record=refund.number, fields={"reason": ["is missing"]})
        reads.record(reads.REVEAL, f"payee of refund {refund.number}", 1, actor=actor, reason=reason)
        return {name: opened(getattr(refund, name)) for name in PAYEE}


def _source(receipt_id: int | None, credit_memo_id: int | None) -> Receipt | Invoice:
    """The source, locked; of a credit memo also the invoice that it corrects."""
    if (receipt_id is None) == (credit_memo_id is None):
        raise InvalidInput("A refund is of one receipt, or of one credit memo")
    if receipt_id is not None:
        return locks.row(Receipt, receipt_id)
    corrects = Invoice.objects.filter(pk=credit_memo_id).values_list("corrects_id", flat=True).first()
    assert credit_memo_id is not None
    found = locks.rows(Invoice, [pk for pk in (credit_memo_id, corrects) if pk])
    return next(row for row in found if row.pk == credit_memo_id)


def _check(source: Receipt | Invoice, amount: Decimal, reason_code: str, record: str = "") -> None:
    record = record or str(source)
    if reason_code not in Refund.Reason.values:
        raise InvalidInput(
            f"{reason_code!r} is no reason", remedy=f"One of {', '.join(Refund.Reason.values)}"
        )
    if amount <= 0 or amount != quantize(amount, source.currency):
        raise InvalidInput(
            f"{amount} {source.currency} cannot be paid back",
            record=record,
            remedy="Give a positive amount in whole minor units",
            fields={"amount": ["must be positive and in whole minor units"]},
        )
    if isinstance(source, Receipt):
        usable = source.state == Receipt.State.RECORDED
        marketplace = source.method == Receipt.Method.MARKETPLACE
    else:
        assert isinstance(source, Invoice)
        usable = source.kind == Invoice.Kind.CREDIT_MEMO and source.state == Invoice.State.POSTED
        marketplace = source.channel != Invoice.Channel.DIRECT
    if not usable:
        raise Conflict(
            f"{source} is no credit: only a recorded receipt or a posted credit memo is refunded",
            record=record,
        )
    if marketplace:
        raise Conflict("A marketplace collected it and pays it back itself", record=record)
    left = refundable(source)
    if amount > left:
        rest = quantize(left, source.currency)
        raise Conflict(
            f"{amount} {source.currency} would be refunded of {source} and {rest} is left",
            record=record,
            remedy="Reload: somebody may have applied it meanwhile. A credit memo is paid back as far as its"
            " invoice was paid; use the rest against invoices",
            code="receipt_exhausted",
        )


def _kept(said: Payee, refund: Refund) -> Payee:
    """What a change does not say stays, as long as the way is the same kind of way."""
    method = said.method or refund.method
    if (method == Refund.Method.CARD) != (refund.method == Refund.Method.CARD):
        return replace(said, method=method, name=said.name or refund.payee_name)
    return Payee(
        method=method,
        name=said.name or refund.payee_name,
        account=said.account or opened(refund.payee_account),
        routing=said.routing or opened(refund.payee_routing),
        swift=said.swift or refund.payee_swift,
        processor_reference=said.processor_reference or refund.processor_reference,
    )


def _payee(payee: Payee, source: Receipt | Invoice) -> dict[str, str]:
    """The columns of the payee, what is not said taken from the newest receipt that is paid back."""
    came_from = next(iter(paid_by(source)), None)
    default = came_from.method if came_from and came_from.method in Refund.Method.values else ""
    method = payee.method or default or Refund.Method.WIRE
    name = payee.name or (came_from.payer_name if came_from else "")
    if not name and source.customer is not None:
        name = source.customer.legal_name or source.customer.name
    card = method == Refund.Method.CARD
    account = account_number(payee.account) or (came_from.payer_account if came_from and not card else "")
    reference = payee.processor_reference
    if card and not reference and came_from and came_from.method == Receipt.Method.CARD:
        reference = came_from.external_id or ""
    if method not in Refund.Method.values or not name or not (reference if card else account):
        raise InvalidInput(
            "It does not say where the money goes",
            record=str(source),
            remedy="Give the payee and the account; by card, the processor's id of the payment",
            fields={"processor_reference" if card else "payee_account": ["is missing"]},
        )
    if (card and (payee.account or payee.routing or payee.swift)) or (not card and payee.processor_reference):
        raise InvalidInput(
            "By card it goes back to the processor's payment, otherwise to an account: give one of them",
            record=str(source),
        )
    return {
        "method": method,
        "payee_name": name[:140],
        "payee_account": account,
        "payee_routing": account_number(payee.routing),
        "payee_swift": account_number(payee.swift),
        "processor_reference": reference[:100],
    }


def _sides(refund: Refund, source: Receipt | Invoice) -> tuple[Side, Side]:
    """What the release books, before it does: the credit as it is carried, the payable at the day's rate."""
    functional = LegalEntity.objects.values_list("currency", flat=True).get(pk=refund.entity_id)
    if isinstance(source, Receipt):
        account, reference, left = postings.UNAPPLIED, f"billing.receipt:{source.pk}", source.unapplied_amount
    else:
        assert isinstance(source, Invoice)
        account, reference, left = postings.RECEIVABLE, f"billing.invoice:{source.pk}", -source.open_amount
    given = owed = None
    if functional != refund.currency:
        balance = abs(carried(account, [reference]).get(reference, ZERO))
        given = share(balance, refund.amount, left, functional)
        owed = translated(refund.amount, refund.currency, functional, refund.refund_on)
    payable = Side(postings.REFUNDS_PAYABLE, f"billing.refund:{refund.pk}", owed)
    return Side(account, reference, given), payable


def _post_payment(refund: Refund) -> None:
    functional = LegalEntity.objects.values_list("currency", flat=True).get(pk=refund.entity_id)
    key = f"billing.refund:{refund.pk}"
    owed = spent = None
    assert refund.paid_on is not None
    if functional != refund.currency:
        owed = abs(carried(postings.REFUNDS_PAYABLE, [key]).get(key, ZERO))
        spent = translated(refund.amount, refund.currency, functional, refund.paid_on)
    _post(PAID, refund, Side(postings.REFUNDS_PAYABLE, key, owed), Side(postings.CASH, key, spent),
          refund.paid_on)  # fmt: skip


def _post(rule: str, refund: Refund, debit: Side, credit: Side, on: dt.date) -> None:
    key = f"billing.refund:{refund.pk}"
    entry = postings.entry(
        rule, refund.amount, debit, credit, entity_id=refund.entity_id, currency=refund.currency, on=on,
        event_key=key, source=key, party_id=refund.customer_id, memo=f"{refund.number} of {refund.source}",
    )  # fmt: skip
    ledger.post([entry])


def _reverse(refund: Refund) -> None:
    """Reverse all its journals, the payment first."""
    assert refund.failed_on is not None
    key = f"billing.refund:{refund.pk}"
    steps = [(PAID, RETURNED)] if refund.paid_on else []
    for rule, undone in [*steps, (RELEASED, FAILED)]:
        postings.post_reversal(
            reverses=key, reverses_rule=rule, event_key=key, rule=undone, on=refund.failed_on
        )
