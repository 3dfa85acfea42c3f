"""Refunds through their services: what they leave on the source and in the books, and what is refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from billing.models import Application, Receipt, Refund
from billing.services import applications, receipts, refunds
from o2c.access.models import ReadEvent
from o2c.errors import ClosedPeriod, Conflict, InvalidInput, NotAuthorised
from o2c.ledger.models import Journal
from o2c.vault import is_sealed, opened
from orders.models import Customer
from tests.billing.cash.test_applications import balance
from tests.factories.billing import Team, post_invoice, receive
from tests.factories.refunds import (
    ACCOUNT,
    CAME_IN,
    ON,
    PAID_ON,
    draft,
    drafter,
    fail,
    overpaid,
    pay,
    release,
    releaser,
    teller,
)

D = Decimal


@pytest.fixture
def receipt(team: Team, customer: Customer) -> Receipt:
    return overpaid(team, customer, "500.00")


def lines(refund: Refund) -> list[tuple[str, str, Decimal, Decimal]]:
    """(rule, account, debit, credit) of all its journals, in order."""
    journals = Journal.objects.filter(event_key=f"billing.refund:{refund.pk}").order_by("pk")
    return [
        (journal.rule, line.account.code, line.debit, line.credit)
        for journal in journals
        for line in journal.lines.select_related("account").order_by("pk")
    ]


def test_a_draft_moves_nothing_and_takes_account_and_name_from_the_receipt(
    team: Team, receipt: Receipt
) -> None:
    refund = draft(team, receipt, "200.00")

    refund.refresh_from_db()
    receipt.refresh_from_db()
    assert refund.number == "US-RFD-2026-000001"
    assert (refund.state, refund.currency, refund.customer_id) == ("draft", "USD", receipt.customer_id)
    assert (refund.method, refund.payee_name) == ("wire", "GLOBEX INC")
    assert is_sealed(refund.payee_account)
    assert opened(refund.payee_account) == ACCOUNT.replace(" ", "")
    assert receipt.unapplied_amount == D("500.00")
    assert lines(refund) == []


def test_released_it_is_no_credit_any_more_and_paid_it_has_left_the_bank(
    team: Team, receipt: Receipt
) -> None:
    refund = release(team, draft(team, receipt, "200.00"))
    receipt.refresh_from_db()
    assert receipt.unapplied_amount == D("300.00")
    assert balance("2130")[0] == D("-300.00")
    assert balance("2140")[0] == D("-200.00")
    assert balance("1000")[0] == D("500.00")

    pay(refund)
    assert balance("2140")[0] == 0
    assert balance("1000")[0] == D("300.00")
    assert lines(refund) == [
        ("refund.released", "2130", D("200.000"), D(0)),
        ("refund.released", "2140", D(0), D("200.000")),
        ("refund.paid", "2140", D("200.000"), D(0)),
        ("refund.paid", "1000", D(0), D("200.000")),
    ]
    days = Journal.objects.filter(event_key=f"billing.refund:{refund.pk}").order_by("pk")
    assert list(days.values_list("posting_date", flat=True)) == [ON, PAID_ON]


@pytest.mark.parametrize("paid", [False, True])
def test_what_the_bank_refuses_or_sends_back_is_credit_again(
    team: Team, receipt: Receipt, paid: bool
) -> None:
    refund = release(team, draft(team, receipt, "200.00"))
    if paid:
        pay(refund)

    refund = fail(refund)

    receipt.refresh_from_db()
    assert refund.state == "failed"
    assert receipt.unapplied_amount == D("500.00")
    assert (balance("2130")[0], balance("2140")[0], balance("1000")[0]) == (D(-500), D(0), D(500))
    again = release(team, draft(team, receipt, "500.00"))
    assert again.state == "released"


def test_what_is_refunded_cannot_be_applied_and_what_is_applied_cannot_be_refunded(
    team: Team, customer: Customer, receipt: Receipt
) -> None:
    invoice = post_invoice(team, customer, "400.00", issued=dt.date(2026, 2, 1))  # 435.50 with tax
    waiting = draft(team, receipt, "200.00")
    receipts.apply(receipt.pk, [(invoice.pk, D("435.50"))], applied_on=ON, actor=team.cash)

    with pytest.raises(Conflict, match=r"200\.000? USD would be refunded of .* and 64\.50 is left"):
        release(team, waiting)
    release(team, draft(team, receipt, "64.50"))

    second = post_invoice(team, customer, "10.00", issued=dt.date(2026, 2, 1))
    with pytest.raises(Conflict, match="is left of it"):
        receipts.apply(receipt.pk, [(second.pk, D("1.00"))], applied_on=ON, actor=team.cash)


def test_a_refund_is_not_undone_as_an_application_and_a_refunded_receipt_is_not_reversed(
    team: Team, receipt: Receipt
) -> None:
    release(team, draft(team, receipt, "200.00"))

    with pytest.raises(Conflict, match="It was refunded"):
        applications.unapply(Application.objects.get(kind="refund").pk, on=ON, actor=team.cash)
    with pytest.raises(Conflict, match="it is applied, or refunded"):
        receipts.reverse(receipt.pk, actor=teller(), reason="Bank took it back")
    with pytest.raises(Conflict, match="applied or refunded already"):
        receipts.identify(receipt.pk, receipt.customer_id or 0, actor=team.cash)


def test_whoever_drafts_does_not_release(team: Team, receipt: Receipt) -> None:
    refund = draft(team, receipt, "200.00")
    with pytest.raises(NotAuthorised, match=r"billing\.refund\.release"):
        refunds.release(refund.pk, actor=drafter(), reason="Mine")


@pytest.mark.parametrize("amount", ["0", "-5.00", "10.001", "500.01"])
def test_an_amount_that_is_no_money_or_more_than_is_left_is_refused(
    team: Team, receipt: Receipt, amount: str
) -> None:
    with pytest.raises((InvalidInput, Conflict)):
        draft(team, receipt, amount)
    assert not Refund.objects.exists()


def test_twice_in_a_row_is_refused_in_words(team: Team, receipt: Receipt) -> None:
    refund = release(team, draft(team, receipt, "200.00"))
    with pytest.raises(Conflict, match="needs the state draft, and it is released"):
        release(team, refund)
    pay(refund)
    with pytest.raises(Conflict, match="needs the state released, and it is paid"):
        pay(refund)
    fail(refund)
    with pytest.raises(Conflict, match="it is failed"):
        fail(refund)
    assert len(lines(refund)) == 8


def test_a_draft_is_changed_or_cancelled_and_nothing_else_is(team: Team, receipt: Receipt) -> None:
    refund = draft(team, receipt, "200.00")
    changed = refunds.revise(
        refund.pk,
        amount=D("100.00"),
        refund_on=ON,
        reason_code="duplicate",
        payee=refunds.Payee(account="DE89 3704 0044 0532 0130 00"),
        actor=drafter(),
    )
    changed.refresh_from_db()
    assert (changed.amount, changed.reason_code) == (D("100.000"), "duplicate")
    assert opened(changed.payee_account) == "DE89370400440532013000"

    cancelled = refunds.cancel(refund.pk, actor=drafter(), reason="They use it for the next invoice")
    assert (cancelled.state, cancelled.number) == ("cancelled", "US-RFD-2026-000001")
    with pytest.raises(Conflict, match="Only a draft is changed"):
        refunds.revise(refund.pk, amount=D("1.00"), refund_on=ON, reason_code="duplicate", actor=drafter())
    assert draft(team, receipt, "1.00").number == "US-RFD-2026-000002"


def test_without_an_account_it_says_what_is_missing(team: Team, customer: Customer) -> None:
    unknown = overpaid(team, customer, "50.00", account="")
    with pytest.raises(InvalidInput, match="does not say where the money goes"):
        draft(team, unknown, "50.00")
    card = overpaid(team, customer, "50.00", account="", method="card", external_id="ch_123")
    by_card = draft(team, card, "50.00")
    assert (by_card.method, by_card.processor_reference, by_card.payee_account) == ("card", "ch_123", "")


def test_what_a_marketplace_collected_it_pays_back_itself(team: Team, customer: Customer) -> None:
    collected = overpaid(team, customer, "50.00", method="marketplace")
    with pytest.raises(Conflict, match="A marketplace collected it"):
        draft(team, collected, "50.00")


def test_money_of_a_stranger_goes_back_to_where_it_came_from(team: Team, customer: Customer) -> None:
    stray = overpaid(team, None, "70.00")
    refund = release(team, draft(team, stray, "70.00"))
    assert refund.customer_id is None

    other = overpaid(team, None, "30.00")
    waiting = draft(team, other, "30.00")
    receipts.identify(other.pk, customer.pk, actor=team.cash)
    with pytest.raises(Conflict, match="has another payer now"):
        release(team, waiting)


def test_a_closed_month_takes_no_refund(team: Team, receipt: Receipt) -> None:
    refund = draft(team, receipt, "100.00", on=dt.date(2027, 2, 1))  # no period is open there
    with pytest.raises(ClosedPeriod):
        release(team, refund)
    refund.refresh_from_db()
    receipt.refresh_from_db()
    assert (refund.state, receipt.unapplied_amount) == ("draft", D("500.00"))


def test_dates_follow_one_another(team: Team, receipt: Receipt) -> None:
    refund = release(team, draft(team, receipt, "100.00"))
    with pytest.raises(InvalidInput, match="a value date from 2026-02-10 on"):
        pay(refund, on=CAME_IN)
    pay(refund)
    with pytest.raises(InvalidInput, match="a day from 2026-02-12 on"):
        fail(refund, on=ON)


def test_the_account_is_shown_to_whoever_may_see_it_and_says_why(team: Team, receipt: Receipt) -> None:
    refund = draft(team, receipt, "100.00")
    with pytest.raises(NotAuthorised, match=r"billing\.refund\.reveal"):
        refunds.reveal_payee(refund.pk, actor=drafter(), reason="Curious")
    with pytest.raises(InvalidInput, match="Say why"):
        refunds.reveal_payee(refund.pk, actor=releaser(), reason=" ")

    shown = refunds.reveal_payee(refund.pk, actor=releaser(), reason="Compare with the letter")
    assert shown["payee_account"] == ACCOUNT.replace(" ", "")
    read = ReadEvent.objects.get()
    assert (read.what, read.why) == (f"payee of refund {refund.number}", "Compare with the letter")
    assert receive(team, None, "1.00").payer_account == ""
