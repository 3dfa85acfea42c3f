"""Documents, balances and receipts over the API."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Invoice, Receipt
from billing.services import invoices
from o2c.actor import acting
from orders.models import Customer
from tests import pdf
from tests.api.conftest import Caller
from tests.factories.access import make_account, make_token
from tests.factories.billing import DAY, Team, post_invoice, receive

pytestmark = pytest.mark.django_db
RECEIPT: dict[str, Any] = {
    "entity": "US",
    "amount": "108.88",
    "currency": "USD",
    "received_on": "2026-09-10",
    "external_id": "BANK-1",
}


@pytest.fixture
def reader(team: Team) -> Caller:
    cache.clear()
    return Caller(make_token(make_account("crm-robot", "crm"), ["billing.read"]))


@pytest.fixture
def bank(team: Team) -> Caller:
    cache.clear()
    scopes = ["billing.read", "billing.receipt.record", "billing.receipt.apply"]
    return Caller(make_token(make_account("bank-robot", "bank", "automation", excused=True), scopes))


def test_invoices_are_listed_page_by_page(reader: Caller, team: Team, customer: Customer) -> None:
    with acting(team.orders):
        Customer.objects.filter(pk=customer.pk).update(salesforce_id="0061G00000HhviAQAR")
    for n in range(5):
        post_invoice(team, customer, "100.00", issued=dt.date(2026, 8, 31 - n))
    invoices.draft(
        customer_id=customer.pk,
        lines=[invoices.ManualLine("x", Decimal("1.00"))],
        issue_date=DAY,
        actor=team.ops,
    )

    first = reader.get("/api/v1/invoices?limit=3").json()
    rest = reader.get(first["next"]).json()

    numbers = [row["number"] for row in first["data"] + rest["data"]]
    assert numbers == [f"US-INV-2026-{n:06d}" for n in (1, 2, 3, 4, 5)]
    assert rest["next"] is None
    row = first["data"][0]
    assert (row["total"], row["open"], row["currency"]) == ("108.88", "108.88", "USD")
    assert row["customer_salesforce_id"] == "0061G00000HhviAQAR"
    found = reader.get("/api/v1/invoices?customer__salesforce_id=0061G00000HhviAQAR&open=true").json()
    assert len(found["data"]) == 5
    assert reader.get("/api/v1/invoices?colour=red").status_code == 422


def test_a_page_asks_the_same_number_of_questions(reader: Caller, team: Team, customer: Customer) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert reader.get("/api/v1/invoices").status_code == 200
        return len(found)

    post_invoice(team, customer, "1.00")
    queries()
    few = queries()
    for _ in range(9):
        post_invoice(team, customer, "1.00")

    assert queries() == few


def test_an_invoice_is_read_with_its_lines_and_pdf(reader: Caller, team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00", "50.00")

    body = reader.get(f"/api/v1/invoices/{invoice.number}").json()
    document = reader.get(body["pdf"], HTTP_ACCEPT="application/pdf")

    assert [one["net"] for one in body["lines"]] == ["100.00", "50.00"]
    assert body["lines"][0]["tax_rate"] == "0.08875"
    assert body["bill_to"]["legal_name"] == "Globex Inc."
    assert document["Content-Type"] == "application/pdf"
    assert str(invoice.number) in pdf.text(document.content)
    assert reader.get("/api/v1/invoices/US-INV-2026-999999").status_code == 404


def test_a_balance_as_of_a_day(reader: Caller, team: Team, customer: Customer) -> None:
    post_invoice(team, customer, "100.00", issued=dt.date(2026, 7, 31))
    receive(team, customer, "10.00", on=dt.date(2026, 9, 10))

    body = reader.get(f"/api/v1/customers/{customer.number}/balance?as_of=2026-09-10").json()

    assert body["accounts"] == [
        {
            "entity": "US",
            "currency": "USD",
            "open": "108.88",
            "overdue": "108.88",
            "disputed": "0.00",
            "unapplied": "10.00",
            "balance": "98.88",
            "buckets": {
                "current": "0.00",
                "days_1_30": "108.88",
                "days_31_60": "0.00",
                "days_61_90": "0.00",
                "days_over_90": "0.00",
            },
        }
    ]
    assert (
        reader.get(f"/api/v1/customers/{customer.number}/balance?as_of=2026-07-30").json()["accounts"] == []
    )
    assert reader.get("/api/v1/customers/C-999999/balance").status_code == 404


def test_a_receipt_is_recorded_once_however_often_it_is_sent(
    bank: Caller, team: Team, customer: Customer
) -> None:
    invoice = post_invoice(team, customer, "100.00")
    body = RECEIPT | {"customer": customer.number, "reference": invoice.number, "apply": True}

    first = bank.post("/api/v1/receipts", body, key="k-1")
    again = bank.post("/api/v1/receipts", body, key="k-1")
    other_key = bank.post("/api/v1/receipts", body, key="k-2")

    assert (first.status_code, again.status_code, other_key.status_code) == (201, 201, 201)
    assert first.json()["number"] == again.json()["number"] == other_key.json()["number"]
    assert again.json()["meta"]["idempotent_replay"] is True
    assert Receipt.objects.count() == 1
    assert first.json()["unapplied"] == "0.00"
    assert first.json()["applications"][0]["invoice"] == invoice.number
    assert Invoice.objects.get(pk=invoice.pk).open_amount == 0
    assert bank.post("/api/v1/receipts", body, key="").status_code == 400


def test_a_receipt_that_cannot_be_right_is_refused_field_by_field(
    bank: Caller, team: Team, customer: Customer
) -> None:
    wrong = bank.post("/api/v1/receipts", RECEIPT | {"amount": 108.88, "currency": "DOLLARS"})
    unknown = bank.post("/api/v1/receipts", RECEIPT | {"customer": "C-999999"})
    fraction = bank.post("/api/v1/receipts", RECEIPT | {"amount": "0.001"})

    assert {error["field"] for error in wrong.json()["errors"]} == {"amount", "currency"}
    assert unknown.json()["errors"][0]["field"] == "customer"
    assert fraction.status_code == 422
    assert not Receipt.objects.exists()


def test_a_receipt_is_applied_over_the_api(bank: Caller, team: Team, customer: Customer) -> None:
    invoice = post_invoice(team, customer, "100.00")
    receipt = receive(team, customer, "60.00")
    body = {"applied_on": "2026-09-10", "parts": [{"invoice": invoice.number, "amount": "60.00"}]}

    done = bank.post(f"/api/v1/receipts/{receipt.number}/applications", body)
    more = bank.post(f"/api/v1/receipts/{receipt.number}/applications", body)

    assert (done.status_code, done.json()["unapplied"]) == (201, "0.00")
    assert (more.status_code, more.json()["code"]) == (409, "invoice_settled")


def test_reading_is_not_recording(reader: Caller, customer: Customer) -> None:
    assert reader.post("/api/v1/receipts", RECEIPT).status_code == 403
