"""What is owed as of any day, tied to the books; who is reminded, and how often."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.core import mail

from billing.models import DunningNotice
from billing.selectors import ageing, collections, statements
from billing.services import applications, disputes, receipts
from billing.services import collections as dunning
from o2c.access.system import system_actor
from o2c.invariants import all_invariants
from o2c.ledger.models import JournalLine
from orders.models import Customer
from tests.factories.billing import Team, bill, post_invoice, receive
from tests.factories.orders import line, make_order

D = Decimal
JULY = dt.date(2026, 7, 31)
AUGUST = dt.date(2026, 8, 31)


def ledger(as_of: dt.date, account: str = "1100") -> Decimal:
    rows = JournalLine.objects.filter(account__code=account, journal__posting_date__lte=as_of)
    return sum((r.debit - r.credit for r in rows), D(0))


def violations() -> list[str]:
    from django.db import connection

    found = []
    for one in all_invariants(["billing", "ledger"]):
        with connection.cursor() as cursor:
            cursor.execute(one.query())
            if cursor.fetchall():
                found.append(one.code)
    return found


def test_ageing_is_the_receivable_of_every_day(team: Team, customer: Customer) -> None:
    old = post_invoice(team, customer, "100.00", issued=JULY)
    post_invoice(team, customer, "200.00", issued=AUGUST)
    receipt = receive(team, customer, "60.00", on=dt.date(2026, 9, 10))
    (applied,) = receipts.apply(
        receipt.pk, [(old.pk, D("60.00"))], applied_on=dt.date(2026, 9, 12), actor=team.cash
    )
    applications.accept_short_payment(
        old.pk,
        D("1.88"),
        reason_code="bank_charges",
        applied_on=dt.date(2026, 9, 15),
        actor=team.cash,
    )
    receipts.unapply(applied.pk, on=dt.date(2026, 9, 20), actor=team.cash)

    expected = {
        dt.date(2026, 7, 30): None,
        dt.date(2026, 8, 1): D("108.88"),
        dt.date(2026, 9, 11): D("326.63"),
        dt.date(2026, 9, 12): D("266.63"),
        dt.date(2026, 9, 15): D("264.75"),
        dt.date(2026, 9, 20): D("324.75"),
    }
    for day, amount in expected.items():
        aged = ageing.total(day)
        assert (aged["USD"].total if aged else None) == amount
        assert ledger(day) == (amount or 0)
        account = statements.account(customer.pk, customer.entity_id, "USD", since=JULY, as_of=day)
        assert account.closing == (aged["USD"].balance if aged else 0)
    assert ageing.total(dt.date(2026, 9, 11))["USD"].unapplied == D("60.00")
    assert violations() == []


def test_buckets_and_what_stands_apart(team: Team, customer: Customer) -> None:
    post_invoice(team, customer, "100.00", issued=JULY)  # due 30 August
    disputed = post_invoice(team, customer, "200.00", issued=AUGUST)  # due 30 September
    disputes.open_dispute(
        disputed.pk, reason_code="price", opened_on=dt.date(2026, 9, 5), amount=D("50.00"), actor=team.cash
    )
    receive(team, customer, "10.00", on=dt.date(2026, 9, 5))

    aged = ageing.by_customer(dt.date(2026, 10, 1), customer_id=customer.pk)[
        customer.entity_id, customer.pk, "USD"
    ]

    assert aged.buckets == {
        "current": 0,
        "1-30": D("217.75"),
        "31-60": D("108.88"),
        "61-90": 0,
        "90+": 0,
    }
    assert (aged.disputed, aged.unapplied, aged.balance) == (D("50.00"), D("10.00"), D("316.63"))


def test_reminders_go_up_level_by_level_once(team: Team, customer: Customer) -> None:
    dunning.save_plan(actor=team.cash)
    post_invoice(team, customer, "100.00", issued=JULY)  # due 30 August

    def round_on(day: dt.date) -> tuple[int, int]:
        done = dunning.remind(as_of=day, actor=team.cash)
        return done.sent, done.to_call

    assert round_on(dt.date(2026, 9, 1)) == (0, 0)
    assert round_on(dt.date(2026, 9, 2)) == (1, 0)
    assert round_on(dt.date(2026, 9, 2)) == (0, 0)
    assert round_on(dt.date(2026, 9, 14)) == (1, 0)
    assert round_on(dt.date(2026, 10, 20)) == (0, 1)
    assert round_on(dt.date(2026, 10, 21)) == (0, 0)

    assert list(DunningNotice.objects.order_by("pk").values_list("level", "amount")) == [
        (1, D("108.88")),
        (2, D("108.88")),
        (4, D("108.88")),
    ]
    assert [message.subject for message in mail.outbox] == [
        "Reminder: USD\xa0108.88 is due",
        "Second reminder: USD\xa0108.88 is overdue",
    ]
    assert "US-INV-2026-000001" in mail.outbox[0].body


def test_nobody_is_reminded_of_what_is_contested_covered_or_a_marketplaces(
    team: Team, customer: Customer
) -> None:
    dunning.save_plan(actor=team.cash)
    make_order(team.orders, customer, [line("SEATS", 10)], state="active", terms={"channel": "aws"})
    bill(team, dt.date(2026, 9, 1))
    contested = post_invoice(team, customer, "100.00", issued=JULY)
    disputes.open_dispute(contested.pk, reason_code="price", opened_on=dt.date(2026, 8, 20), actor=team.cash)
    post_invoice(team, customer, "100.00", issued=JULY)
    receive(team, customer, "108.88", on=dt.date(2026, 9, 5))

    assert collections.overdue(dt.date(2026, 10, 15)) == []
    assert dunning.remind(as_of=dt.date(2026, 10, 15), actor=system_actor()).sent == 0


def test_the_work_list_names_the_debt_after_cash_on_account(team: Team, customer: Customer) -> None:
    post_invoice(team, customer, "100.00", issued=JULY)
    post_invoice(team, customer, "200.00", issued=dt.date(2026, 8, 10))
    receive(team, customer, "150.00", on=dt.date(2026, 9, 5))

    (debt,) = collections.overdue(dt.date(2026, 9, 30))

    assert (debt.amount, debt.oldest_due, debt.days) == (D("176.63"), dt.date(2026, 9, 9), 21)
    assert [item.number for item in debt.items] == ["US-INV-2026-000002"]


@pytest.mark.parametrize("count", [1, 25])
def test_ageing_asks_two_questions_however_many_customers(
    team: Team, customer: Customer, django_assert_num_queries: object, count: int
) -> None:
    for _ in range(count):
        post_invoice(team, customer, "1.00")

    with django_assert_num_queries(2):  # type: ignore[operator]
        ageing.by_customer(dt.date(2026, 10, 1))
