"""Real connections at the same moment: the money of a receipt is used once."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection, transaction

from billing.models import Application, Receipt, Refund
from billing.services import receipts, refunds
from o2c.actor import acting
from o2c.errors import DomainError
from o2c.ledger.models import Journal
from orders.models import Customer
from tests.billing.cash.test_races import at_once
from tests.factories.billing import Team, billing_team, books, post_invoice
from tests.factories.orders import make_customer
from tests.factories.refunds import ON, draft, drafter, overpaid, pay, releaser, teller

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal


@pytest.fixture
def team(transactional_db: None) -> Team:
    found = billing_team()
    books(found)
    drafter(), releaser(), teller()
    return found


@pytest.fixture
def customer(team: Team) -> Customer:
    return make_customer(team.orders, "Globex", region="NY")


@pytest.fixture
def receipt(team: Team, customer: Customer) -> Receipt:
    return overpaid(team, customer, "100.00")


def left(receipt: Receipt) -> Decimal:
    receipt.refresh_from_db()
    return receipt.unapplied_amount


def test_applied_or_refunded_and_never_both(team: Team, customer: Customer, receipt: Receipt) -> None:
    invoice = post_invoice(team, customer, "91.85", issued=dt.date(2026, 2, 1))  # 100.00 with tax
    refund = draft(team, receipt, "100.00")

    raised = at_once(
        lambda: refunds.release(refund.pk, actor=releaser(), reason="Checked"),
        lambda: receipts.apply(receipt.pk, [(invoice.pk, D("100.00"))], applied_on=ON, actor=team.cash),
    )

    assert [isinstance(error, DomainError) for error in raised] == [True]
    assert Application.objects.count() == 1
    assert left(receipt) == 0
    won = Application.objects.get().kind
    assert Refund.objects.get().state == ("released" if won == "refund" else "draft")


def test_two_refunds_of_one_receipt(team: Team, receipt: Receipt) -> None:
    drafts = [draft(team, receipt, "60.00") for _ in range(3)]
    raised = at_once(*(lambda pk=row.pk: refunds.release(pk, actor=releaser()) for row in drafts))
    assert [isinstance(error, DomainError) for error in raised] == [True, True]
    assert left(receipt) == D("40.00")


def test_one_refund_released_twice_and_paid_while_it_fails(team: Team, receipt: Receipt) -> None:
    refund = draft(team, receipt, "60.00")
    raised = at_once(*[lambda: refunds.release(refund.pk, actor=releaser())] * 3)
    assert len(raised) == 2
    assert Journal.objects.filter(rule="refund.released").count() == 1

    raised = at_once(
        *[lambda: pay(refund)] * 2,
    )
    assert len(raised) == 1
    assert Journal.objects.filter(rule="refund.paid").count() == 1


def test_released_while_it_is_cancelled(team: Team, receipt: Receipt) -> None:
    refund = draft(team, receipt, "60.00")
    raised = at_once(
        lambda: refunds.release(refund.pk, actor=releaser()),
        lambda: refunds.cancel(refund.pk, actor=drafter(), reason="Not needed"),
    )
    assert len(raised) == 1
    refund.refresh_from_db()
    assert left(receipt) == (D("40.00") if refund.state == "released" else D("100.00"))


def test_the_database_alone_holds_too(team: Team, receipt: Receipt) -> None:
    """The state is written past every service, on three connections at once."""
    drafts = [draft(team, receipt, "60.00") for _ in range(3)]

    def by_hand(pk: int) -> None:
        with acting(releaser(), reason="by hand"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE billing_refund SET state = 'released', released_at = now(),"
                " released_by_id = o2c_actor() WHERE id = %s",
                [pk],
            )

    raised = at_once(*(lambda pk=row.pk: by_hand(pk) for row in drafts))
    assert len(raised) == 2
    assert left(receipt) == D("40.00")
