"""Refunds for tests: a receipt whose account the bank said, its draft, and how far it got.

receipt = overpaid(team, customer, "500.00")
refund = draft(team, receipt, "200.00")             # by billing operations
release(team, refund); pay(refund)                  # by the approver; by whoever receives cash
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from billing.models import Invoice, Receipt, Refund
from billing.services import receipts, refunds
from o2c.actor import Actor
from orders.models import Customer
from tests.factories.billing import Team, person
from tests.factories.orders import make_entity

CAME_IN = dt.date(2026, 1, 5)
ON = dt.date(2026, 2, 10)
PAID_ON = dt.date(2026, 2, 12)
ACCOUNT = "US33 0001 0203 4401 9288 37"
OTHER = "GB82 WEST 1234 5698 7654 32"


def drafter() -> Actor:
    """Drafts refunds and enters nothing else."""
    return person("bill", "billing_ops")


def releaser() -> Actor:
    return person("abe", "approver")


def teller() -> Actor:
    """Reads the bank's statement."""
    return person("remy", "cash_receipts")


def overpaid(
    team: Team,
    customer: Customer | None,
    amount: str,
    *,
    account: str = ACCOUNT,
    on: dt.date = CAME_IN,
    currency: str = "",
    entity: str = "US",
    **columns: Any,
) -> Receipt:
    """A receipt that nothing is applied of, paid from `account` ("": the bank did not say)."""
    owner = customer.entity if customer else make_entity(entity)
    return receipts.record(
        entity_id=owner.pk,
        customer_id=customer.pk if customer else None,
        currency=currency or (customer.currency if customer else owner.currency),
        amount=Decimal(amount),
        received_on=on,
        payer_name="GLOBEX INC",
        payer_account=account,
        actor=teller(),
        **columns,
    )


def draft(
    team: Team,
    source: Receipt | Invoice,
    amount: str,
    *,
    on: dt.date = ON,
    payee: refunds.Payee | None = None,
    actor: Actor | None = None,
) -> Refund:
    of = {"receipt_id": source.pk} if isinstance(source, Receipt) else {"credit_memo_id": source.pk}
    return refunds.draft(
        **of,
        amount=Decimal(amount),
        refund_on=on,
        reason_code="overpaid",
        payee=payee,
        actor=actor or drafter(),
        reason="The customer asks for it",
    )


def release(team: Team, refund: Refund) -> Refund:
    return refunds.release(refund.pk, actor=releaser(), reason="Checked")


def pay(refund: Refund, on: dt.date = PAID_ON) -> Refund:
    return refunds.record_paid(
        refund.pk, paid_on=on, payment_reference=f"BANK-{refund.pk}", actor=teller(), reason="Statement"
    )


def fail(refund: Refund, on: dt.date = PAID_ON) -> Refund:
    return refunds.record_failure(
        refund.pk, failed_on=on, failure="Account closed", actor=teller(), reason="Statement"
    )
