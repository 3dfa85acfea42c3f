"""Amendments by machines: the same acts, effects and refusals as in the console."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache

from o2c.actor import Actor
from orders.models import Order, Sku
from tests.api.conftest import Caller
from tests.factories.access import make_account, make_role, make_token
from tests.factories.orders import line, make_customer, make_order

pytestmark = pytest.mark.django_db

DUTIES = ["orders.read", "orders.amendment.draft", "orders.amendment.apply"]


@pytest.fixture
def machine(catalogue: dict[str, Sku]) -> Caller:
    cache.clear()
    make_role("amending", DUTIES)
    return Caller(make_token(make_account("amender", "amending", excused=True), DUTIES))


@pytest.fixture
def order(team: Actor, catalogue: dict[str, Sku]) -> Order:
    """Ten seats at 40.00 a month from 1 August 2026 for a year."""
    return make_order(team, make_customer(team), [line("SEATS", 10)], state="active")


def ask(machine: Caller, order: Order, kind: str, changes: dict[str, Any], **more: Any) -> Any:
    body = {"kind": kind, "effective_on": "2026-09-01", "changes": changes, "reason": "Agreed", **more}
    return machine.post(f"/api/v1/orders/{order.number}/amendments", body)


def seats(machine: Caller, order: Order) -> list[tuple[str, str]]:
    (row,) = machine.get(f"/api/v1/orders/{order.number}").json()["lines"]
    return [(segment["starts_on"], segment["quantity"]) for segment in row["segments"]]


def test_a_quantity_is_drafted_previewed_and_applied(machine: Caller, order: Order) -> None:
    pk = order.lines.get().pk
    more = {"lines": [{"line": pk, "quantity": "15"}]}
    body = {"kind": "quantity", "effective_on": "2026-09-01", "changes": more}
    preview = machine.post(f"/api/v1/orders/{order.number}/amendments/preview", body)
    assert (preview.status_code, order.amendments.count()) == (200, 0)

    drafted = ask(machine, order, "quantity", more)
    assert (drafted.status_code, drafted.json()["number"], drafted.json()["state"]) == (201, 1, "draft")
    assert drafted.json()["effect"] == preview.json()["effect"]
    assert drafted.json()["value_before"] == "4800.00"
    assert seats(machine, order) == [("2026-08-01", "10")]

    applied = machine.post(f"/api/v1/orders/{order.number}/amendments/1/apply", {})
    assert (applied.status_code, applied.json()["state"]) == (201, "applied")
    assert seats(machine, order) == [("2026-08-01", "10"), ("2026-09-01", "15")]
    assert machine.get(f"/api/v1/orders/{order.number}/amendments/1").json()["state"] == "applied"


def test_a_call_that_is_repeated_drafts_once(machine: Caller, order: Order) -> None:
    body = {"kind": "pause", "effective_on": "2026-09-01", "changes": {"until": "2026-10-01"}}
    path = f"/api/v1/orders/{order.number}/amendments"
    first, second = (machine.post(path, body, key="pause-1").json() for _ in range(2))

    assert first["number"] == second["number"] == 1
    assert order.amendments.count() == 1


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("price", {"lines": [{"line": 0, "discount_percent": "10"}]}),
        ("pause", {"until": "2027-07-01"}),
        ("cancel", {"mode": "period_end"}),
        ("renew", {"term_months": 12, "uplift_percent": "5"}),
        ("add_line", {"lines": [{"sku": "PLATFORM"}]}),
    ],
)
def test_every_kind_has_its_effect(machine: Caller, order: Order, kind: str, changes: dict[str, Any]) -> None:
    for item in changes.get("lines", ()):
        if "line" in item:
            item["line"] = order.lines.get().pk
    answer = ask(machine, order, kind, changes, effective_on="2027-06-15")
    assert answer.status_code == 201, answer.json()
    assert answer.json()["value_after"] != answer.json()["value_before"]


def test_a_transfer_and_its_undoing(machine: Caller, team: Actor, order: Order) -> None:
    other = make_customer(team, "Initech")
    moved = ask(machine, order, "transfer", {"customer": other.number}, effective_on="2026-10-01")
    assert moved.status_code == 201, moved.json()
    rejected = machine.post(f"/api/v1/orders/{order.number}/amendments/1/reject", {"reason": "Not yet"})
    assert (rejected.status_code, rejected.json()["state"]) == (201, "rejected")


def test_what_is_refused_says_why(machine: Caller, order: Order) -> None:
    at_noon = ask(machine, order, "pause", {}, effective_on="2026-09-01T12:00:00Z")
    assert at_noon.status_code >= 400
    assert "at the beginning of a day in its time zone" in at_noon.content.decode()

    until = ask(machine, order, "pause", {"until": "2026-09-05T12:00:00Z"})
    assert "at the beginning of a day in its time zone" in until.json()["detail"]

    unknown = ask(machine, order, "quantity", {"lines": [{"line": 1, "quantity": "15"}]})
    assert unknown.status_code >= 400
    assert machine.post(f"/api/v1/orders/{order.number}/amendments/9/apply", {}).status_code == 404
    assert machine.post("/api/v1/orders/O-9/amendments", {}).status_code >= 400


def test_an_amendment_whose_effect_became_another_is_not_applied(machine: Caller, order: Order) -> None:
    pk = order.lines.get().pk
    for quantity in ("15", "20"):
        ask(machine, order, "quantity", {"lines": [{"line": pk, "quantity": quantity}]})
    assert machine.post(f"/api/v1/orders/{order.number}/amendments/1/apply", {}).status_code == 201

    stale = machine.post(f"/api/v1/orders/{order.number}/amendments/2/apply", {})
    assert (stale.status_code, stale.json()["code"]) == (409, "effect_changed")


def test_without_the_duty_nothing_is_drafted(catalogue: dict[str, Sku], order: Order) -> None:
    reader = Caller(make_token(make_account("reader", "crm"), ["orders.read"]))
    answer = ask(reader, order, "pause", {})
    assert (answer.status_code, order.amendments.count()) == (403, 0)


def test_commitments_and_thresholds_of_an_order(
    machine: Caller, team: Actor, catalogue: dict[str, Sku]
) -> None:
    crm = Caller(make_token(make_account("crm-robot", "crm"), ["orders.read", "orders.order.draft"]))
    body: dict[str, Any] = {
        "customer": make_customer(team).number,
        "starts_on": "2026-09-01",
        "term_months": 12,
        "commitments": [{"amount": "10000.00", "per": "quarter", "overage_factor": "1.5"}],
        "invoice_thresholds": ["200.00", "500.00"],
        "lines": [{"sku": "TOKENS"}],
    }
    made = crm.post("/api/v1/orders", body)
    assert made.status_code == 201, made.json()
    assert made.json()["commitments"] == body["commitments"]
    assert made.json()["invoice_thresholds"] == body["invoice_thresholds"]

    wrong = crm.post("/api/v1/orders", {**body, "commitments": [{"amount": 10.5, "per": "day"}]})
    assert wrong.status_code >= 400
    assert "commitments" in wrong.content.decode()
