"""Refunds in other currencies, in the sub-ledgers as of any day, and in the tie-outs of the close."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from billing.models import Invoice
from billing.selectors import ageing, statements
from billing.services import applications, credit_memos, invoices, receipts
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput
from o2c.invariants.services import check
from o2c.ledger.models import AccountingPeriod, ExchangeRate
from orders.models import Customer
from revenue.selectors import checklist
from revenue.tieouts.registry import checklist as queries
from tests.billing.cash.test_applications import balance
from tests.factories.billing import Team, post_invoice
from tests.factories.orders import make_customer, make_entity
from tests.factories.refunds import ON, PAID_ON, draft, drafter, fail, overpaid, pay, release

D = Decimal
JANUARY = dt.date(2026, 1, 31)
SEPTEMBER = dt.date(2026, 9, 20)


def credited(team: Team, customer: Customer, net: str, *, paid: bool = True) -> Invoice:
    """An invoice of January, settled, and a credit memo of all of it, which nothing uses."""
    invoice = post_invoice(team, customer, net, issued=dt.date(2026, 1, 2))
    if paid:
        receipt = overpaid(team, customer, str(invoice.total))
        receipts.apply(receipt.pk, [(invoice.pk, invoice.total)], applied_on=ON, actor=team.cash)
    memo = credit_memos.draft(
        invoice.pk, reason_code="cancellation", issue_date=ON, actor=drafter(), reason="Cancelled"
    )
    return invoices.post(memo.pk, actor=team.approver)


def ties_out(month: str, entity: str = "US") -> list[str]:
    """What of the checklist about cash and balances does not agree in this month."""
    period = AccountingPeriod.objects.get(entity__code=entity, name=month)
    wanted = [q for q in queries() if q.area in ("cash", "books") and q.code != "books.sequence"]
    answers = checklist.evaluate(period, wanted)
    assert {"cash.refunds", "cash.refunds_paid", "books.clearing"} <= {answer.code for answer in answers}
    return [answer.code for answer in answers if answer.differing]


def broken() -> list[str]:
    return [outcome.invariant.code for outcome in check(["billing", "ledger"]) if not outcome.passed]


def test_an_open_credit_memo_is_paid_back_out_of_the_receivable(team: Team, customer: Customer) -> None:
    memo = credited(team, customer, "100.00")  # 108.88 with 8.875 % tax
    refund = release(team, draft(team, memo, "100.00"))
    memo.refresh_from_db()
    assert memo.open_amount == D("-8.88")
    assert balance("1100", f"billing.invoice:{memo.pk}")[0] == D("-8.88")
    assert balance("2140")[0] == D("-100.00")
    assert refund.payee_name == "GLOBEX INC"

    with pytest.raises(Conflict, match=r"100\.00 USD would be refunded"):
        draft(team, memo, "100.00")
    pay(refund)
    assert (balance("2140")[0], broken(), ties_out("2026-02")) == (0, [], [])


def test_what_was_written_off_is_not_paid_back(team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00", issued=dt.date(2026, 1, 2))
    receipt = overpaid(team, customer, "8.88")
    receipts.apply(receipt.pk, [(invoice.pk, D("8.88"))], applied_on=ON, actor=team.cash)
    applications.accept_short_payment(
        invoice.pk, D("100.00"), reason_code="tolerance", applied_on=ON, actor=team.cash
    )
    memo = invoices.post(
        credit_memos.draft(
            invoice.pk, reason_code="cancellation", issue_date=ON, actor=drafter(), reason="Cancelled"
        ).pk,
        actor=team.approver,
    )
    with pytest.raises(Conflict, match=r"and 8\.88 is left"):
        draft(team, memo, "8.89")
    release(team, draft(team, memo, "8.88"))


def test_what_paid_for_a_refunded_invoice_stays_applied(team: Team, customer: Customer) -> None:
    """Otherwise the same money would go back twice: once as the memo, once as the receipt."""
    memo = credited(team, customer, "100.00")
    release(team, draft(team, memo, "108.88"))
    application = memo.corrects.applications.get(kind="receipt")  # type: ignore[union-attr]
    with pytest.raises(Conflict, match="was refunded"):
        applications.unapply(application.pk, on=ON, actor=team.cash)


def test_a_euro_receipt_of_a_dollar_company_realises_the_difference(team: Team, entities: object) -> None:
    """700 EUR came in at 1.10 and go out at 1.20: 770 of credit for 840 of payable."""
    european = make_customer(team.orders, "Europa", currency="EUR")
    receipt = overpaid(team, european, "700.00")
    refund = release(team, draft(team, receipt, "400.00", on=SEPTEMBER))

    assert balance("2130", f"billing.receipt:{receipt.pk}") == (D("-300.00"), D("-330.00"))
    assert balance("2140") == (D("-400.00"), D("-480.00"))
    assert balance("7100")[1] == D("40.00")
    assert refund.applications.get().functional_difference == D("-40.00")

    pay(refund, on=SEPTEMBER)
    assert balance("2140") == (D(0), D(0))
    assert balance("1000") == (D("300.00"), D("290.00"))  # 770 in, 480 out
    fail(refund, on=SEPTEMBER)
    assert balance("2130") == (D("-700.00"), D("-770.00"))
    assert (balance("7100")[1], balance("1000")) == (D(0), (D("700.00"), D("770.00")))
    last = release(team, draft(team, receipt, "700.00", on=SEPTEMBER))
    assert balance("2130") == (D(0), D(0))
    pay(last, on=SEPTEMBER)
    assert (broken(), ties_out("2026-01"), ties_out("2026-09")) == ([], [], [])


def test_yen_have_no_cents(team: Team, entities: object) -> None:
    with acting(Actor.installer(), reason="test set-up"):
        ExchangeRate.objects.create(
            from_currency="JPY",
            to_currency="USD",
            valid_on=dt.date(2026, 1, 1),
            rate=D("0.0065"),
            source="test",
        )
    tokyo = make_customer(team.orders, "Tokio", currency="JPY")
    receipt = overpaid(team, tokyo, "10001")
    with pytest.raises(InvalidInput, match="whole minor units"):
        draft(team, receipt, "33.5")
    release(team, draft(team, receipt, "3333"))
    pay(release(team, draft(team, receipt, "6668")))

    assert balance("2130") == (D(0), D(0))
    assert balance("2140") == (D("-3333"), D("-21.66"))  # 3,333 x 0.0065 = 21.6645
    assert (broken(), ties_out("2026-02")) == ([], [])


def test_account_and_ageing_say_what_was_on_any_day(team: Team, customer: Customer) -> None:
    receipt = overpaid(team, customer, "500.00")
    refund = release(team, draft(team, receipt, "200.00"))
    fail(pay(refund), on=dt.date(2026, 3, 1))
    key = (customer.entity_id, customer.pk, "USD")

    on_account = {
        day: ageing.unapplied(dt.date.fromisoformat(day)).get(key)
        for day in ("2026-01-31", "2026-02-10", "2026-02-28", "2026-03-01")
    }
    assert on_account == {
        "2026-01-31": D("500.00"),
        "2026-02-10": D("300.00"),
        "2026-02-28": D("300.00"),
        "2026-03-01": D("500.00"),
    }
    account = statements.account(
        customer.pk, customer.entity_id, "USD", since=dt.date(2026, 1, 1), as_of=dt.date(2026, 3, 31)
    )
    assert [(move.what, move.amount, move.balance) for move in account.moves] == [
        ("Payment received", D("-500.00"), D("-500.00")),
        ("Refund", D("200.00"), D("-300.00")),
        ("Refund returned", D("-200.00"), D("-500.00")),
    ]


def test_every_month_ties_out_whatever_became_of_refunds(team: Team, customer: Customer) -> None:
    memo = credited(team, customer, "100.00")
    receipt = overpaid(team, customer, "500.00")
    march = dt.date(2026, 3, 2)
    release(team, draft(team, receipt, "10.00"))
    pay(release(team, draft(team, receipt, "20.00")), on=march)  # a month after it was released
    fail(release(team, draft(team, receipt, "30.00")), on=march)
    fail(pay(release(team, draft(team, memo, "40.00")), on=PAID_ON), on=march)
    draft(team, receipt, "50.00")

    assert {month: ties_out(month) for month in ("2026-01", "2026-02", "2026-03")} == {
        "2026-01": [],
        "2026-02": [],
        "2026-03": [],
    }
    assert broken() == []


def test_the_entity_of_the_receipt_pays(team: Team, entities: object) -> None:
    irish = make_customer(team.orders, "Dublin", entity="IE", currency="EUR")
    refund = release(team, draft(team, overpaid(team, irish, "50.00"), "50.00"))
    assert (refund.entity, refund.number) == (make_entity("IE"), "IE-RFD-2026-000001")
    assert ties_out("2026-02", "IE") == []
