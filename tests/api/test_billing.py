"""Invoices, balance and receipts as callers meet them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Invoice, Receipt
from billing.services import applications
from o2c.access.authorise import duties_of_id
from o2c.access.models import User
from o2c.vault import is_sealed, opened
from tests.api.conftest import Caller
from tests.factories.access import make_token
from tests.factories.billing import Team, billing_team, books, post_invoice, receive
from tests.factories.orders import make_customer, orders_team
from tests.factories.refunds import draft

pytestmark = pytest.mark.django_db
Account = Callable[[str], Caller]


@pytest.fixture
def account(db: None) -> Account:
    """account("salesforce") → a caller with the token of that shipped account."""

    def make(username: str) -> Caller:
        user = User.objects.get(username=username)
        return Caller(make_token(user, duties_of_id(user.pk)))

    return make


@pytest.fixture
def team(db: None) -> Team:
    found = billing_team()
    books(found)
    return found


@pytest.fixture
def customer(team: Team) -> Any:
    return make_customer(orders_team(), region="TX")


def test_an_invoice_is_read_with_its_lines(team: Team, customer: Any, account: Account) -> None:
    posted = post_invoice(team, customer, "1000.00", "250.50", issued=dt.date(2026, 9, 1), po="PO-1")

    page = account("salesforce").get(f"/api/v1/invoices?customer__number={customer.number}").json()
    read = account("salesforce").get(f"/api/v1/invoices/{posted.number}").json()

    assert [row["number"] for row in page["data"]] == [posted.number]
    assert (read["kind"], read["state"], read["currency"], read["po_number"]) == (
        "invoice",
        "posted",
        "USD",
        "PO-1",
    )
    assert read["net"] == "1250.50"
    assert read["total"] == read["open"]
    assert [line["net"] for line in read["lines"]] == ["1000.00", "250.50"]
    assert read["bill_to"]["name"] != ""


def test_a_draft_is_nobodys_business(team: Team, customer: Any, account: Account) -> None:
    from billing.services import invoices

    invoices.draft(
        customer_id=customer.pk,
        lines=[invoices.ManualLine("Work", Decimal("10.00"))],
        issue_date=dt.date(2026, 9, 1),
        actor=team.ops,
    )
    assert account("salesforce").get("/api/v1/invoices").json()["data"] == []


def test_open_invoices(team: Team, customer: Any, account: Account) -> None:
    paid = post_invoice(team, customer, "100.00", issued=dt.date(2026, 9, 1))
    owed = post_invoice(team, customer, "200.00", issued=dt.date(2026, 9, 2))
    receipt = receive(team, customer, str(paid.total))
    applications.apply(receipt.pk, [(paid.pk, paid.total)], applied_on=dt.date(2026, 9, 12), actor=team.cash)

    page = account("salesforce").get("/api/v1/invoices?open=true").json()

    assert [row["number"] for row in page["data"]] == [owed.number]


def test_the_pdf_is_the_same_bytes_each_time_and_reading_stores_nothing(
    team: Team, customer: Any, account: Account
) -> None:
    posted = post_invoice(team, customer, "1000.00", issued=dt.date(2026, 9, 1))
    caller = account("salesforce")
    first = caller.get(f"/api/v1/invoices/{posted.number}/pdf", headers={"Accept": "application/pdf"})
    again = caller.get(f"/api/v1/invoices/{posted.number}/pdf")
    assert first.status_code == 200
    assert first["Content-Type"] == "application/pdf"
    assert first["Content-Disposition"] == f'attachment; filename="{posted.number}.pdf"'
    assert first.content.startswith(b"%PDF-")
    assert first.content == again.content
    assert Invoice.objects.get(pk=posted.pk).document_id is None


def test_a_pdf_that_is_not_there_is_a_problem_document(team: Team, account: Account) -> None:
    answer = account("salesforce").get(
        "/api/v1/invoices/US-INV-2026-999999/pdf", headers={"Accept": "application/pdf"}
    )
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"


def test_the_balance_by_age_as_of_any_day(team: Team, customer: Any, account: Account) -> None:
    # Given an invoice of 1 September due in 30 days, of which 60 was paid on the 10th, and 40 on account
    posted = post_invoice(team, customer, "1000.00", issued=dt.date(2026, 9, 1))
    receipt = receive(team, customer, "100.00", on=dt.date(2026, 9, 10))
    applications.apply(
        receipt.pk, [(posted.pk, Decimal("60.00"))], applied_on=dt.date(2026, 9, 10), actor=team.cash
    )
    address = f"/api/v1/customers/{customer.number}/balance"
    caller = account("salesforce")

    # When it is asked for on the 9th, on the 20th and on 15 October
    before, after, late = (
        caller.get(f"{address}?as_of={day}").json() for day in ("2026-09-09", "2026-09-20", "2026-10-15")
    )

    # Then each day knows what was known then
    total = posted.total
    assert before["accounts"][0]["open"] == f"{total:.2f}"
    assert before["accounts"][0]["unapplied"] == "0.00"
    (row,) = after["accounts"]
    assert (row["entity"], row["currency"]) == ("US", "USD")
    assert row["open"] == f"{total - 60:.2f}"
    assert row["unapplied"] == "40.00"
    assert row["balance"] == f"{total - 100:.2f}"
    assert (row["overdue"], late["accounts"][0]["overdue"]) == ("0.00", f"{total - 60:.2f}")
    assert late["accounts"][0]["buckets"]["days_1_30"] == f"{total - 60:.2f}"


@pytest.mark.parametrize("day", ["tomorrow", "2026-02-30"])
def test_a_day_that_is_none(customer: Any, account: Account, day: str) -> None:
    answer = account("salesforce").get(f"/api/v1/customers/{customer.number}/balance?as_of={day}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "as_of")


MONEY = {
    "entity": "US", "currency": "USD", "amount": "500.00", "received_on": "2026-09-10",
    "reference": "US-INV-2026-000001", "external_id": "bank-4711",
}  # fmt: skip


def test_money_is_recorded_once_whatever_is_sent_twice(team: Team, customer: Any, account: Account) -> None:
    bank = account("bank")
    body = MONEY | {"customer": customer.number}

    first = bank.post("/api/v1/receipts", body, key="stmt-1-line-1")
    same_key = bank.post("/api/v1/receipts", body, key="stmt-1-line-1")
    same_money = bank.post("/api/v1/receipts", body, key="stmt-2-line-1")

    assert (first.status_code, first.json()["amount"], first.json()["state"]) == (201, "500.00", "recorded")
    assert same_key.json()["meta"]["idempotent_replay"] is True
    assert same_money.json()["number"] == first.json()["number"]
    assert Receipt.objects.count() == 1


def test_the_payers_account_is_kept_sealed_and_a_refund_is_read(
    team: Team, customer: Any, account: Account
) -> None:
    body = MONEY | {"customer": customer.number, "payer_account": "gb82 west 1234 5698 7654 32"}
    answer = account("bank").post("/api/v1/receipts", body)
    receipt = Receipt.objects.get()
    assert is_sealed(receipt.payer_account)
    assert opened(receipt.payer_account) == "GB82WEST12345698765432"
    assert "WEST" not in answer.content.decode().upper()

    made = draft(team, receipt, "40.00", on=receipt.received_on)
    read = account("bank").get(f"/api/v1/refunds/{made.number}")
    listed = account("bank").get(f"/api/v1/refunds?receipt__number={receipt.number}")
    assert read.json()["receipt"] == receipt.number
    assert (read.json()["amount"], read.json()["payee_account"][-4:]) == ("40.00", "5432")
    assert "WEST" not in read.content.decode() + listed.content.decode()
    assert [row["number"] for row in listed.json()["data"]] == [made.number]


def test_the_same_bank_id_with_another_amount_is_refused(team: Team, customer: Any, account: Account) -> None:
    bank = account("bank")
    bank.post("/api/v1/receipts", MONEY)
    answer = bank.post("/api/v1/receipts", MONEY | {"amount": "501.00"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "bank-4711 was recorded as 500.00 USD" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": 500.5}, "amount"),
        ({"amount": "-1.00"}, "amount"),
        ({"amount": "0.001"}, "amount"),
        ({"entity": "XX"}, "entity"),
        ({"customer": "C-999999"}, "customer"),
        ({"method": "cowries"}, "method"),
    ],
)
def test_money_that_can_not_be(team: Team, account: Account, change: dict[str, Any], field: str) -> None:
    answer = account("bank").post("/api/v1/receipts", MONEY | change)
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert not Receipt.objects.exists()


def test_a_closed_period_is_told_with_what_to_do(team: Team, account: Account) -> None:
    answer = account("bank").post("/api/v1/receipts", MONEY | {"received_on": "2019-01-15"})
    assert answer.status_code in (409, 422)
    assert answer.json()["remedy"] != ""
    assert not Receipt.objects.exists()


def test_the_crm_records_no_money(team: Team, account: Account) -> None:
    answer = account("salesforce").post("/api/v1/receipts", MONEY)
    assert (answer.status_code, answer.json()["code"]) == (403, "duty_missing")


def test_a_list_of_invoices_costs_the_same_however_long(
    team: Team, customer: Any, account: Account, django_assert_num_queries: Any
) -> None:
    caller = account("salesforce")
    post_invoice(team, customer, "1.00", issued=dt.date(2026, 9, 1))
    caller.get("/api/v1/invoices")
    with django_assert_num_queries(6):  # three of them record that the whole list was read
        caller.get("/api/v1/invoices")
    for _ in range(3):
        post_invoice(team, customer, "1.00", issued=dt.date(2026, 9, 1))
    with django_assert_num_queries(6):
        caller.get("/api/v1/invoices")
