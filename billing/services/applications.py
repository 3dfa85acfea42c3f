"""Setting money and credit against invoices, and undoing it. Append-only; the database does the sums.

Rows are locked invoices first, then the receipt (billing/triggers.py takes them in the same order), so
two people who apply at once wait for each other and the second sees what the first left open.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing import events, postings
from billing.domain import cash_application
from billing.models import Application, Invoice, Receipt
from billing.postings import Side
from billing.selectors.carrying import carried, share
from billing.selectors.refunds import came_in, refunded
from o2c import ledger, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.errors import Conflict, InvalidInput
from o2c.ledger.models import LegalEntity
from o2c.money import quantize

SHORT_PAY_REASONS: dict[str, str] = {
    "bank_charges": "Bank charges deducted",
    "withholding_tax": "Tax withheld at source",
    "early_payment": "Early-payment discount taken",
    "rounding": "Rounded",
    "tolerance": "Below the tolerance",
}
WRITE_OFF_REASONS: dict[str, str] = {
    "insolvency": "Customer insolvent",
    "uncollectable": "Cannot be collected",
    "small_balance": "Too small to pursue",
}
EXPENSE_OF_KIND = {
    Application.Kind.SHORT_PAY: postings.SHORT_PAY,
    Application.Kind.WRITE_OFF: postings.CREDIT_LOSS,
}
Parts = Sequence[tuple[int, Decimal]]


def apply(
    receipt_id: int,
    parts: Parts,
    *,
    applied_on: dt.date,
    actor: Actor,
    matched_by: str = Application.MatchedBy.PERSON,
    reason: str = "",
) -> list[Application]:
    """Apply a receipt to invoices: `parts` are (invoice id, amount). What is left stays on account.

    Raises Conflict when an invoice or the receipt has less open than the part, InvalidInput for a part
    that is not money or for documents of another customer, entity or currency.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.receipt.apply", record=f"receipt {receipt_id}")
        invoices = {invoice.pk: invoice for invoice in locks.rows(Invoice, [pk for pk, _ in parts])}
        receipt = locks.row(Receipt, receipt_id)
        if receipt.customer_id is None:
            raise Conflict(
                "Its payer is not identified", record=receipt.number, remedy="Say whose receipt it is first"
            )
        _check_parts(parts, invoices, receipt.currency)
        total = sum((amount for _, amount in parts), Decimal(0))
        if total > receipt.unapplied_amount:
            raise Conflict(
                f"{total} {receipt.currency} would be applied and {receipt.unapplied_amount} is left of it",
                record=receipt.number,
                remedy="Reload: somebody may have applied it meanwhile",
                code="receipt_exhausted",
            )
        for invoice in invoices.values():
            _check_same(receipt, invoice)
        made = _settle(
            Application.Kind.RECEIPT, parts, invoices, applied_on, receipt=receipt, matched_by=matched_by
        )
        events.receipt_event(
            events.RECEIPT_APPLIED,
            receipt.pk,
            application_ids=[application.pk for application in made],
            invoice_ids=[invoice_id for invoice_id, _ in parts],
        )
        return made


def apply_proposal(
    receipt_id: int, *, applied_on: dt.date, actor: Actor, only_certain: bool = True, reason: str = ""
) -> list[Application]:
    """Apply a receipt as the matching rules propose; nothing when they are not certain.

    With `only_certain=False` a person accepts the proposal as shown to them.
    """
    with acting(actor, reason=reason):
        receipt = locks.row(Receipt, receipt_id)
        proposal = propose(receipt)
        if not proposal.parts or (only_certain and not proposal.certain):
            return []
        matched = {
            cash_application.Tier.REFERENCE: Application.MatchedBy.REFERENCE,
            cash_application.Tier.UNIQUE_AMOUNT: Application.MatchedBy.AMOUNT,
        }.get(proposal.tier, Application.MatchedBy.PERSON)
    return apply(
        receipt_id, proposal.parts, applied_on=applied_on, actor=actor, matched_by=matched, reason=reason
    )


def propose(receipt: Receipt) -> cash_application.Proposal:
    """What the receipt seems to pay, among the open invoices of its payer."""
    items = [
        cash_application.OpenItem(invoice.pk, invoice.number or "", invoice.open_amount, invoice.due_date)
        for invoice in Invoice.objects.open().filter(
            customer_id=receipt.customer_id,
            entity_id=receipt.entity_id,
            currency=receipt.currency,
            total__gt=0,
        )
    ]
    return cash_application.propose(receipt.unapplied_amount, receipt.reference, items)


def apply_credit(
    credit_memo_id: int, parts: Parts, *, applied_on: dt.date, actor: Actor, reason: str = ""
) -> list[Application]:
    """Use a credit memo against invoices of the same customer. Raises as `apply`."""
    with acting(actor, reason=reason):
        require(actor, "billing.receipt.apply", record=f"credit memo {credit_memo_id}")
        return use_credit(credit_memo_id, parts, applied_on)


def use_credit(credit_memo_id: int, parts: Parts, applied_on: dt.date) -> list[Application]:
    """The act inside `apply_credit` and inside the posting of a credit memo; the caller is authorised."""
    locked = {row.pk: row for row in locks.rows(Invoice, [credit_memo_id, *(pk for pk, _ in parts)])}
    memo = locked.pop(credit_memo_id)
    if memo.kind != Invoice.Kind.CREDIT_MEMO or memo.state != Invoice.State.POSTED:
        raise Conflict("Only a posted credit memo can be used", record=str(memo))
    _check_parts(parts, locked, memo.currency)
    total = sum((amount for _, amount in parts), Decimal(0))
    if total > -memo.open_amount:
        raise Conflict(
            f"{total} {memo.currency} would be used and {-memo.open_amount} is left of it", record=str(memo)
        )
    for invoice in locked.values():
        _check_same(memo, invoice)
    return _settle(Application.Kind.CREDIT_MEMO, parts, locked, applied_on, memo=memo)


def accept_short_payment(
    invoice_id: int,
    amount: Decimal,
    *,
    reason_code: str,
    applied_on: dt.date,
    actor: Actor,
    reason: str = "",
) -> Application:
    """Accept that `amount` of an invoice will not come, as an expense, for one of SHORT_PAY_REASONS."""
    return _expense(
        Application.Kind.SHORT_PAY,
        "billing.shortpay.accept",
        SHORT_PAY_REASONS,
        invoice_id,
        amount,
        reason_code,
        applied_on,
        actor,
        reason,
    )


def write_off(
    invoice_id: int,
    amount: Decimal,
    *,
    reason_code: str,
    applied_on: dt.date,
    actor: Actor,
    reason: str = "",
) -> Application:
    """Write `amount` of an invoice off as a credit loss, for one of WRITE_OFF_REASONS."""
    return _expense(
        Application.Kind.WRITE_OFF,
        "billing.writeoff.post",
        WRITE_OFF_REASONS,
        invoice_id,
        amount,
        reason_code,
        applied_on,
        actor,
        reason,
    )


def _expense(
    kind: Application.Kind,
    duty: str,
    reasons: dict[str, str],
    invoice_id: int,
    amount: Decimal,
    reason_code: str,
    applied_on: dt.date,
    actor: Actor,
    reason: str,
) -> Application:
    with acting(actor, reason=reason):
        require(actor, duty, record=f"invoice {invoice_id}")
        if reason_code not in reasons:
            raise InvalidInput(
                f"{reason_code!r} is not a reason", remedy=f"Choose one of {', '.join(sorted(reasons))}"
            )
        invoice = locks.row(Invoice, invoice_id)
        _check_parts([(invoice_id, amount)], {invoice_id: invoice}, invoice.currency)
        made = _settle(
            kind,
            [(invoice_id, amount)],
            {invoice_id: invoice},
            applied_on,
            reason_code=reason_code,
            note=reason,
        )
        approvals.gate(duty, [made[0].pk])
        events.invoice_event(events.INVOICE_SETTLED_SHORT, invoice_id, application_id=made[0].pk)
        return made[0]


def unapply(application_id: int, *, on: dt.date, actor: Actor, reason: str = "") -> Application:
    """Undo an application by a second one that reverses it whole, with its journal.

    Raises Conflict when it is a reversal, or reversed already.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.receipt.unapply", record=f"application {application_id}")
        known = Application.objects.filter(pk=application_id).first()
        if known is None:
            raise Conflict(f"There is no application {application_id}")
        locks.rows(Invoice, [pk for pk in (known.invoice_id, known.credit_memo_id) if pk])
        if known.receipt_id:
            locks.row(Receipt, known.receipt_id)
        if known.reverses_id or Application.objects.filter(reverses_id=known.pk).exists():
            raise Conflict("It is undone already", record=str(known))
        if known.kind == Application.Kind.MARKETPLACE:
            raise Conflict(
                "The marketplace settled it",
                record=str(known),
                remedy="It is undone when the marketplace's feed says that its payment failed",
            )
        if known.kind == Application.Kind.REFUND:
            raise Conflict(
                "It was refunded",
                record=str(known),
                remedy="It comes back when the refund's payment is recorded as failed",
            )
        _check_not_refunded(known)
        undo = Application.objects.create(
            kind=known.kind,
            receipt_id=known.receipt_id,
            credit_memo_id=known.credit_memo_id,
            invoice_id=known.invoice_id,
            amount=-known.amount,
            applied_on=on,
            reason_code=known.reason_code,
            note=reason,
            functional_difference=-known.functional_difference,
            reverses=known,
        )
        rule = postings.RULE_OF_KIND[Application.Kind(known.kind)]
        postings.post_reversal(
            reverses=f"billing.application:{known.pk}",
            reverses_rule=rule,
            event_key=f"billing.application:{undo.pk}",
            rule=rule,
            on=on,
        )
        if known.receipt_id:
            events.receipt_event(
                events.RECEIPT_UNAPPLIED,
                known.receipt_id,
                application_ids=[undo.pk],
                invoice_ids=[known.invoice_id],
            )
        return undo


def _check_not_refunded(known: Application) -> None:
    """What paid for an invoice stays with it once its credit memo was refunded: it went back already."""
    if known.invoice_id is None or not refunded(known.invoice_id):
        return
    if known.amount > came_in(known.invoice_id):
        raise Conflict(
            f"A credit memo of {known.invoice} was refunded: this money went back to the customer",
            record=str(known),
            remedy="Only what was not refunded can be taken off the invoice",
        )


def _check_parts(parts: Parts, invoices: dict[int, Invoice], currency: str) -> None:
    if not parts or len(invoices) != len(parts):
        raise InvalidInput("Name each invoice once, and at least one")
    for pk, amount in parts:
        invoice = invoices[pk]
        if amount <= 0 or amount != quantize(amount, currency):
            raise InvalidInput(f"{amount} {currency} cannot be applied", record=str(invoice))
        if invoice.state != Invoice.State.POSTED or invoice.kind == Invoice.Kind.CREDIT_MEMO:
            raise Conflict("Only a posted invoice can be settled", record=str(invoice))
        if amount > invoice.open_amount:
            raise Conflict(
                f"{amount} {currency} would be applied and {invoice.open_amount} is open",
                record=str(invoice),
                remedy="Reload: somebody may have settled it meanwhile",
                code="invoice_settled",
            )


def _check_same(source: Receipt | Invoice, invoice: Invoice) -> None:
    ours = (source.entity_id, source.customer_id, source.currency)
    if ours != (invoice.entity_id, invoice.customer_id, invoice.currency):
        raise InvalidInput(
            f"{source} and {invoice} are not of the same legal entity, customer and currency",
            record=str(source),
            remedy="Apply it to the payer's own invoices",
        )


@dataclass(slots=True)
class _Carried:
    """What is left of the two sides' functional balances while parts are taken off one after another."""

    foreign: bool
    functional_currency: str
    balances: dict[str, Decimal]
    open: dict[str, Decimal]

    def take(self, reference: str, amount: Decimal) -> Decimal | None:
        """The functional amount, unsigned, that moves with `amount`; None when there is only one currency."""
        if not self.foreign:
            return None
        part = share(self.balances[reference], amount, self.open[reference], self.functional_currency)
        self.balances[reference] -= part
        self.open[reference] -= amount
        return part


def _key(document: Invoice | Receipt) -> str:
    return f"billing.{'receipt' if isinstance(document, Receipt) else 'invoice'}:{document.pk}"


def _account(document: Invoice | Receipt) -> str:
    if not isinstance(document, Invoice):
        return postings.UNAPPLIED
    direct = document.channel == Invoice.Channel.DIRECT
    return postings.RECEIVABLE if direct else postings.MARKETPLACE_RECEIVABLE


def _left(document: Invoice | Receipt) -> Decimal:
    """What is open or not applied of it, positive."""
    if isinstance(document, Receipt):
        return document.unapplied_amount
    assert isinstance(document, Invoice)
    return abs(document.open_amount)


def _carrying(source: Receipt | Invoice | None, invoices: dict[int, Invoice]) -> _Carried:
    """Functional balances of the documents, as positive amounts, from the journals."""
    first = next(iter(invoices.values()))
    functional = LegalEntity.objects.values_list("currency", flat=True).get(pk=first.entity_id)
    if functional == first.currency:
        return _Carried(False, functional, {}, {})
    documents: list[Receipt | Invoice] = [*invoices.values(), *([source] if source else [])]
    balances: dict[str, Decimal] = {}
    left: dict[str, Decimal] = {}
    for document in documents:
        key = _key(document)
        balances[key] = abs(carried(_account(document), [key]).get(key, Decimal(0)))
        left[key] = _left(document)
    return _Carried(True, functional, balances, left)


def _settle(
    kind: Application.Kind,
    parts: Parts,
    invoices: dict[int, Invoice],
    applied_on: dt.date,
    *,
    receipt: Receipt | None = None,
    memo: Invoice | None = None,
    **extra: str,
) -> list[Application]:
    """Write the applications and their journals. The rows are locked and checked."""
    source = receipt or memo
    books = _carrying(source, invoices)
    rows, sides = [], []
    for pk, amount in parts:
        invoice = invoices[pk]
        owed = books.take(_key(invoice), amount)
        given = books.take(_key(source), amount) if source is not None else owed
        credit = Side(_account(invoice), _key(invoice), owed)
        account = _account(source) if source is not None else EXPENSE_OF_KIND[kind]
        sides.append((Side(account, _key(source or invoice), given), credit))
        rows.append(
            Application(
                kind=kind,
                receipt=receipt,
                credit_memo=memo,
                invoice=invoice,
                amount=amount,
                applied_on=applied_on,
                functional_difference=(given or Decimal(0)) - (owed or Decimal(0)),
                **extra,
            )
        )
    made = Application.objects.bulk_create(rows)
    ledger.post(
        [
            postings.entry(
                postings.RULE_OF_KIND[kind],
                row.amount,
                debit,
                credit,
                entity_id=invoices[pk].entity_id,
                currency=invoices[pk].currency,
                on=applied_on,
                event_key=f"billing.application:{row.pk}",
                source=f"billing.invoice:{pk}",
                party_id=invoices[pk].customer_id,
                memo=f"{source or kind.label} to {invoices[pk]}",
            )
            for (pk, _), row, (debit, credit) in zip(parts, made, sides, strict=True)
        ]
    )
    return made
