"""The calls that a CRM needs first."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from o2c import outbox
from o2c.actor import Actor
from orders.models import Customer, Order, Sku
from tests.api.conftest import Caller
from tests.factories.access import make_account, make_token
from tests.factories.orders import line, make_entity, make_order
from tests.orders.test_intake import DEAL

pytestmark = pytest.mark.django_db

SCOPES = ["orders.read", "orders.customer.maintain", "orders.order.draft", "orders.intake.process"]
GLOBEX = {
    "name": "Globex",
    "entity": "US",
    "currency": "USD",
    "country": "US",
    "tax_id": "12-3456789",
    "contacts": [{"name": "Hank", "email": "hank@globex.example"}],
    "tax_registrations": [{"country": "DE", "number": "DE136695976"}],
}
ACCOUNT = "/api/v1/customers/salesforce/0061G00000HhviA"


@pytest.fixture
def crm(catalogue: dict[str, Sku]) -> Caller:
    cache.clear()
    make_entity("US")
    return Caller(make_token(make_account("crm-robot", "crm"), SCOPES))


def order_body(**changes: Any) -> dict[str, Any]:
    return {
        "customer_salesforce_id": "0061G00000HhviAQAR",
        "salesforce_opportunity_id": "006q000000Hddoh",
        "title": "Twelve months",
        "starts_on": "2026-09-01",
        "term_months": 12,
        "signed_total": "4560.00",
        "billing_frequency": "year",
        "lines": [
            {"sku": "SEATS", "quantity": "10", "discount_percent": "5", "source_line_id": "00k1"},
            {"sku": "TOKENS", "price_override": {"model": "per_unit", "unit_amount": "0.000002"}},
        ],
        **changes,
    }


def test_a_customer_is_upserted(crm: Caller) -> None:
    made = crm.put(ACCOUNT, GLOBEX)
    assert made.status_code == 201
    body = made.json()
    assert body["number"] == Customer.objects.get().number
    assert (body["salesforce_id"], body["tax_id"], body["entity"]) == (
        "0061G00000HhviAQAR",
        "123456789",
        "US",
    )
    assert body["contacts"] == [{"name": "Hank", "email": "hank@globex.example", "kind": "billing"}]
    again = crm.put(ACCOUNT, {"name": "Globex Corporation"}, headers={"If-Match": body["meta"]["version"]})
    assert (again.status_code, again.json()["name"], again.json()["tax_id"]) == (
        200,
        "Globex Corporation",
        "123456789",
    )
    stale = crm.put(ACCOUNT, {"name": "Late"}, headers={"If-Match": body["meta"]["version"]})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    read = crm.get(f"/api/v1/customers/{body['number']}")
    assert read.json()["name"] == "Globex Corporation"
    assert Customer.history.first().history_user.username == "crm-robot"


def test_problems_of_a_customer_come_at_once(crm: Caller) -> None:
    answer = crm.put(ACCOUNT, {**GLOBEX, "country": "XX", "tax_id": "1", "time_zone": "Mars"})
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json()["errors"]} == {"country", "time_zone"}
    assert crm.put("/api/v1/customers/salesforce/nonsense", GLOBEX).status_code == 422
    assert crm.put(ACCOUNT, {"name": "Nobody"}).json()["errors"] == [
        {"field": name, "detail": "is missing", "code": "invalid"}
        for name in ("entity", "currency", "country")
    ]


def test_a_signed_deal_becomes_a_draft_order(crm: Caller) -> None:
    crm.put(ACCOUNT, GLOBEX)
    made = crm.post("/api/v1/orders", order_body(), key="deal-1")
    assert made.status_code == 201, made.json()
    body = made.json()
    assert (body["state"], body["value"], body["signed_total"], body["blockers"]) == (
        "draft",
        "4560.00",
        "4560.00",
        [],
    )
    assert body["lines"][0]["segments"] == [
        {
            "starts_on": "2026-09-01",
            "ends_on": "2027-09-01",
            "quantity": "10",
            "price_id": body["lines"][0]["segments"][0]["price_id"],
            "price": "SEATS USD v1",
            "price_override": None,
            "discount_percent": "5",
            "paused": False,
        }
    ]
    assert body["lines"][1]["timing"] == "arrears"
    assert body["lines"][1]["segments"][0]["price_override"] == {
        "model": "per_unit",
        "unit_amount": "0.000002",
    }
    replayed = crm.post("/api/v1/orders", order_body(), key="deal-1")
    assert (replayed.status_code, replayed.json()["number"]) == (201, body["number"])
    assert replayed.json()["meta"]["idempotent_replay"] is True
    second = crm.post("/api/v1/orders", order_body(), key="deal-2")
    assert (second.status_code, second.json()["code"]) == (409, "duplicate_business_key")
    assert Order.objects.count() == 1


def test_problems_of_an_order_come_at_once(crm: Caller) -> None:
    crm.put(ACCOUNT, GLOBEX)
    lines = [
        {"sku": "NOPE"},
        {"sku": "SEATS", "quantity": "-1", "starts_on": "2025-01-01"},
        {"sku": "SEATS", "price_override": {"model": "flat", "amount": 5.5}},
    ]
    answer = crm.post("/api/v1/orders", order_body(lines=lines))
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert {e["field"] for e in answer.json()["errors"]} == {
        "lines[0].sku",
        "lines[1].quantity",
        "lines[1].price",
        "lines[2].price_override.amount",
    }
    shape = crm.post("/api/v1/orders", order_body(lines=[{"quantity": 1.5}], starts_on="soon"))
    assert {e["field"] for e in shape.json()["errors"]} == {
        "lines[0].sku",
        "lines[0].quantity",
        "starts_on",
    }


def test_a_misspelt_field_is_an_error_beside_the_others(crm: Caller) -> None:
    crm.put(ACCOUNT, GLOBEX)
    lines = [{"sku": "SEATS", "quantity": "3", "price_overide": {"model": "flat", "amount": "5"}}]
    answer = crm.post("/api/v1/orders", order_body(lines=lines, starts_on="soon", po="PO-1"))

    assert answer.status_code == 422
    assert {(e["field"], e["code"]) for e in answer.json()["errors"]} == {
        ("lines[0].price_overide", "unknown"), ("starts_on", "invalid"), ("po", "unknown"),
    }  # fmt: skip


def test_whose_order_must_be_said(crm: Caller) -> None:
    nobody = crm.post("/api/v1/orders", order_body(customer_salesforce_id=""))
    assert nobody.status_code == 422
    unknown = crm.post("/api/v1/orders", order_body())
    assert (unknown.status_code, unknown.json()["remedy"]) == (404, "Upsert the customer first")


def test_an_order_is_read_with_all_that_belongs_to_it(crm: Caller, team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS", 10), line("PLATFORM")], state="active")
    outbox.drain()
    body = crm.get(f"/api/v1/orders/{order.number}").json()
    assert (body["state"], body["value"], body["customer"]) == ("active", "10800.00", customer.number)
    assert [e["state"] for x in body["lines"] for e in x["entitlements"]] == ["pending", "pending"]
    assert body["amendments"] == []
    found = crm.get("/api/v1/orders", {"state": "active"}).json()["data"]
    assert [row["number"] for row in found] == [order.number]
    assert crm.get("/api/v1/orders/O-999999").status_code == 404


def test_reading_an_order_costs_the_same_for_many_lines(crm: Caller, team: Actor, customer: Customer) -> None:
    def cost(lines: int) -> int:
        order = make_order(team, customer, [line("SEATS", n + 1) for n in range(lines)], state="active")
        outbox.drain()
        crm.get(f"/api/v1/orders/{order.number}")
        with CaptureQueriesContext(connection) as queries:
            crm.get(f"/api/v1/orders/{order.number}")
        return len(queries)

    assert cost(2) == cost(20)


def test_a_deal_is_handed_over_as_it_is(crm: Caller) -> None:
    taken = crm.post("/api/v1/salesforce/deals", DEAL)
    assert taken.status_code == 201, taken.json()
    assert taken.json()["order"] == Order.objects.get().number
    bad = copy.deepcopy(DEAL)
    bad["OpportunityLineItems"]["records"][0]["ProductCode"] = "NOPE"
    bad["Id"] = "0061G00000Ja7B6"
    parked = crm.post("/api/v1/salesforce/deals", bad)
    assert (parked.status_code, parked.json()["state"], parked.json()["order"]) == (202, "parked", None)
    assert parked.json()["problems"][0]["field"] == "OpportunityLineItems.records[0].ProductCode"


def test_the_duty_is_asked_for(catalogue: dict[str, Sku]) -> None:
    auditor = Caller(make_token(make_account("reader", "auditor"), ["orders.read"]))
    assert auditor.get("/api/v1/customers").status_code == 200
    assert auditor.put(ACCOUNT, GLOBEX).status_code == 403
    assert auditor.post("/api/v1/orders", order_body()).status_code == 403
    assert auditor.post("/api/v1/salesforce/deals", DEAL).status_code == 403
