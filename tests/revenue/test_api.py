"""What machines read of revenue."""

from decimal import Decimal as D

import pytest
from django.test import Client

from revenue.services import exports
from tests.factories.access import make_account, make_token
from tests.factories.orders import line, make_order
from tests.factories.revenue import invoice, recognise, use

pytestmark = pytest.mark.django_db

SCOPES = ["revenue.read", "revenue.export.acknowledge"]


@pytest.fixture
def august(books, customer):
    make_order(books.team, customer, [line("SEATS", 10), line("TOKENS")], state="active")
    use(books, customer, "4000000", "2026-08-10")
    invoice(books, "2026-09-01")
    recognise(books, "2026-08")
    return books.period("2026-08")


@pytest.fixture
def get(books):
    secret = make_token(make_account("erp", "revenue_accounting"), SCOPES)

    def call(path, method="get", key="first-try", **more):
        headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key}
        return getattr(Client(), method)(
            f"/api/v1/revenue/{path}", headers=headers, content_type="application/json", **more
        )

    return call


def test_contracts_and_their_months(get, august, customer):
    listed = get("contracts").json()
    order = customer.orders.get().number
    assert [row["order"] for row in listed["data"]] == [order]
    assert listed["data"][0]["transaction_price"] == "4800.00"

    whole = get(f"contracts/{order}").json()
    assert [(o["sku"], o["basis"], o["allocated"]) for o in whole["obligations"]] == [
        ("SEATS", "fixed", "4800.00"),
        ("TOKENS", "charged", "0.00"),
    ]
    assert whole["months"][0] == {"month": "2026-08", "planned": "407.67", "posted": "417.67"}


def test_recognitions_by_order_and_period(get, august, customer):
    rows = get(f"recognitions?order={customer.orders.get().number}&period=2026-08").json()["data"]

    assert sorted(row["amount"] for row in rows) == ["10.00", "407.67"]
    assert {row["month"] for row in rows} == {"2026-08"}


def test_balances_as_of_a_day(get, august):
    found = get("balances?as_of=2026-09-01&entity=US").json()["balances"]

    assert [(b["account"], b["amount"]) for b in found] == [("1120", "-7.67")]


def test_balances_need_a_day(get, august):
    response = get("balances?as_of=soon")

    assert response.status_code == 422
    assert response.headers["Content-Type"].startswith("application/problem+json")


def test_the_trial_balance(get, august):
    found = get("trial-balance/US/2026-08").json()

    rows = {row["account"]: row for row in found["rows"]}
    assert rows["4005"]["closing"] == "-407.67"
    assert sum(D(row["functional_closing"]) for row in found["rows"]) == 0
    assert get("trial-balance/US/2031-01").status_code == 404


def test_the_ledger_acknowledges_an_export(books, get, august):
    export = exports.build(august.pk, actor=books.accountant)
    exports.mark_sent(export.pk, actor=books.accountant)
    wrong = get(
        f"exports/{export.external_id}/acknowledgement", "post", data={"lines": 1, "total_debit": "1.00"}
    )
    assert wrong.status_code == 409

    listed = get("exports?state=sent").json()["data"][0]
    body = {"lines": listed["lines"], "total_debit": listed["total_debit"], "gl_reference": "NS-7"}
    done = get(f"exports/{export.external_id}/acknowledgement", "post", key="second-try", data=body)
    again = get(f"exports/{export.external_id}/acknowledgement", "post", key="second-try", data=body)

    assert (done.status_code, done.json()["state"], done.json()["gl_reference"]) == (
        200,
        "acknowledged",
        "NS-7",
    )
    assert again.json()["meta"]["idempotent_replay"]
