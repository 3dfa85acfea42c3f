"""Money received: recorded, identified, reversed. What it is applied to: `applications.py`."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.db import IntegrityError, transaction

from billing import events, postings
from billing.models import Receipt
from billing.services import applications
from billing.services.refunds import account_number
from o2c import ledger, locks, numbering
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput
from o2c.money import quantize

apply = applications.apply
apply_proposal = applications.apply_proposal
unapply = applications.unapply


def record(
    *,
    entity_id: int,
    currency: str,
    amount: Decimal,
    received_on: dt.date,
    actor: Actor,
    customer_id: int | None = None,
    method: str = Receipt.Method.WIRE,
    reference: str = "",
    payer_name: str = "",
    payer_account: str = "",
    external_id: str | None = None,
    reason: str = "",
) -> Receipt:
    """Record money received: Dr cash, Cr unapplied cash. Returns the receipt.

    The same `external_id` again returns the receipt that is there, so a bank file may be read twice;
    the same id with another amount, currency or entity raises Conflict. Raises InvalidInput for an
    amount that is not positive or not in whole minor units.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.receipt.record", record=reference or str(external_id or ""))
        if amount <= 0 or amount != quantize(amount, currency):
            raise InvalidInput(
                f"{amount} {currency} is not money received",
                remedy="Give a positive amount in whole minor units",
                fields={"amount": ["must be positive and in whole minor units"]},
            )
        known = Receipt.objects.filter(external_id=external_id).first() if external_id else None
        if known is not None:
            return _same(known, entity_id, currency, amount)
        try:
            with transaction.atomic():
                receipt = Receipt.objects.create(
                    number=numbering.take(entity_id, "RCT", received_on.year)[0],
                    entity_id=entity_id,
                    customer_id=customer_id,
                    currency=currency,
                    amount=amount,
                    received_on=received_on,
                    method=method,
                    reference=reference[:140],
                    payer_name=payer_name[:140],
                    payer_account=account_number(payer_account),
                    external_id=external_id or None,
                )
        except IntegrityError:
            known = Receipt.objects.filter(external_id=external_id).first() if external_id else None
            if known is None:
                raise
            return _same(known, entity_id, currency, amount)  # another reader of the file was first
        _post(receipt)
        events.receipt_event(events.RECEIPT_RECORDED, receipt.pk)
        return receipt


def _same(known: Receipt, entity_id: int, currency: str, amount: Decimal) -> Receipt:
    if (known.entity_id, known.currency, known.amount) != (entity_id, currency, amount):
        recorded = quantize(known.amount, known.currency)
        raise Conflict(
            f"The bank's id {known.external_id} was recorded as {recorded} {known.currency}",
            record=known.number,
            remedy="Check the two statements; reverse the receipt if it is wrong",
        )
    return known


def _post(receipt: Receipt) -> None:
    key = f"billing.receipt:{receipt.pk}"
    ledger.post(
        [
            postings.entry(
                "receipt.recorded",
                receipt.amount,
                debit=postings.Side(postings.CASH, key),
                credit=postings.Side(postings.UNAPPLIED, key),
                entity_id=receipt.entity_id,
                currency=receipt.currency,
                on=receipt.received_on,
                event_key=key,
                source=key,
                party_id=receipt.customer_id,
                memo=receipt.number,
            )
        ]
    )


def identify(pk: int, customer_id: int, *, actor: Actor, reason: str = "") -> Receipt:
    """Say whose an unidentified receipt is. Raises Conflict once something of it is applied."""
    with acting(actor, reason=reason):
        require(actor, "billing.receipt.identify", record=f"receipt {pk}")
        receipt = locks.row(Receipt, pk)
        if receipt.applied:
            raise Conflict(
                "It is applied or refunded already",
                record=receipt.number,
                remedy="Undo that before changing the payer",
            )
        receipt.customer_id = customer_id
        receipt.save(update_fields=["customer"])
        return receipt


def reverse(pk: int, *, actor: Actor, on: dt.date | None = None, reason: str = "") -> Receipt:
    """The bank took the money back, or it was recorded in error; `on` defaults to the value date.

    Raises Conflict while anything of it is applied.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.receipt.reverse", record=f"receipt {pk}")
        receipt = locks.row(Receipt, pk)
        receipt.reverse()
        receipt.reversed_on = on or receipt.received_on
        receipt.save()
        key = f"billing.receipt:{pk}"
        postings.post_reversal(
            reverses=key,
            reverses_rule="receipt.recorded",
            event_key=key,
            rule="receipt.reversed",
            on=receipt.reversed_on,
        )
        events.receipt_event(events.RECEIPT_REVERSED, receipt.pk)
        return receipt
