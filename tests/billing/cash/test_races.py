"""Two people on two connections at once: nothing is applied, credited or recorded twice."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection, transaction

from billing.models import Application, Invoice, Receipt
from billing.services import credit_memos, receipts
from o2c.actor import acting
from o2c.errors import DomainError
from o2c.ledger.models import JournalLine
from orders.models import Customer
from tests.factories.billing import Team, billing_team, books, post_invoice, receive
from tests.factories.orders import make_customer

pytestmark = pytest.mark.django_db(transaction=True)
ON = dt.date(2026, 9, 10)
D = Decimal


@pytest.fixture
def team(transactional_db: None) -> Team:
    team = billing_team()
    books(team)
    return team


@pytest.fixture
def customer(team: Team) -> Customer:
    return make_customer(team.orders, "Globex", region="NY")


def at_once(*acts: Callable[[], object]) -> list[BaseException]:
    """Do all acts at the same moment, each on a connection of its own; what was raised."""
    barrier = threading.Barrier(len(acts))
    raised: list[BaseException] = []

    def work(act: Callable[[], object]) -> None:
        try:
            barrier.wait()
            act()
        except BaseException as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_two_receipts_for_one_invoice_cannot_both_settle_it(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    paid = [receive(team, customer, "108.88") for _ in range(4)]

    raised = at_once(
        *(
            lambda pk=receipt.pk: receipts.apply(
                pk, [(invoice.pk, D("108.88"))], applied_on=ON, actor=team.cash
            )
            for receipt in paid
        )
    )

    assert [type(error) for error in raised if not isinstance(error, DomainError)] == []
    assert len(raised) == 3
    invoice.refresh_from_db()
    assert invoice.open_amount == 0
    assert Application.objects.count() == 1
    assert Receipt.objects.unapplied().count() == 3


def test_one_receipt_cannot_be_spent_twice(team: Team, customer: Customer) -> None:
    invoices = [post_invoice(team, customer, "100.00") for _ in range(4)]
    receipt = receive(team, customer, "150.00")

    raised = at_once(
        *(
            lambda pk=invoice.pk: receipts.apply(
                receipt.pk, [(pk, D("100.00"))], applied_on=ON, actor=team.cash
            )
            for invoice in invoices
        )
    )

    assert len(raised) == 3
    receipt.refresh_from_db()
    assert receipt.unapplied_amount == D("50.00")


def test_the_database_alone_holds_too(team: Team, customer: Customer) -> None:
    """Rows written past every service, four connections at once: the constraint counts what is committed."""
    invoice = post_invoice(team, customer, "100.00")
    receipt = receive(team, customer, "500.00")

    def insert() -> None:
        with acting(team.cash), transaction.atomic():
            Application.objects.create(
                kind="receipt", receipt=receipt, invoice=invoice, amount=D("60.00"), applied_on=ON
            )

    raised = at_once(insert, insert, insert, insert)

    assert len(raised) == 3
    assert all("billing_invoice_not_over_applied" in str(error) for error in raised)
    invoice.refresh_from_db()
    assert invoice.applied == D("60.00")


def test_crossed_applications_do_not_deadlock(team: Team, customer: Customer) -> None:
    first, second = (post_invoice(team, customer, "100.00") for _ in range(2))
    one, two = (receive(team, customer, "100.00") for _ in range(2))

    raised = at_once(
        lambda: receipts.apply(
            one.pk, [(first.pk, D("50.00")), (second.pk, D("50.00"))], applied_on=ON, actor=team.cash
        ),
        lambda: receipts.apply(
            two.pk, [(second.pk, D("50.00")), (first.pk, D("50.00"))], applied_on=ON, actor=team.cash
        ),
    )

    assert raised == []
    assert sorted(Invoice.objects.values_list("applied", flat=True)) == [D("100.00"), D("100.00")]


def test_two_credit_memos_do_not_promise_the_same_money(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")

    def draft() -> object:
        return credit_memos.draft(
            invoice.pk, reason_code="billing_error", issue_date=ON, actor=team.ops, reason="x"
        )

    raised = at_once(draft, draft, draft)

    assert len(raised) == 2
    assert Invoice.objects.filter(kind="credit_memo").count() == 1


def test_the_same_bank_line_from_two_readers_is_one_receipt(team: Team, customer: Customer) -> None:
    def read() -> object:
        return receive(team, customer, "10.00", external_id="CAMT-1")

    assert at_once(read, read, read) == []

    assert Receipt.objects.count() == 1
    cash = JournalLine.objects.filter(account__code="1000")
    assert sum((row.debit for row in cash), D(0)) == D("10.00")
    assert Receipt.objects.get().number == "US-RCT-2026-000001"
