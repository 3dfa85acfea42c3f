"""A customer with a metered contract, and somebody who may send and decide usage."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from billing.services import metering
from billing.services.intake import Outcome
from o2c.actor import Actor
from orders.models import Customer, Order, OrderLine
from orders.services import catalogue
from tests.factories.orders import line, make_catalogue, make_customer, make_order, orders_team

USAGE_DUTIES = (
    "billing.usage.ingest",
    "billing.usage.retry",
    "billing.usage.reject",
    "billing.usage.repair",
)
NOW = dt.datetime(2026, 9, 15, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _no_memory() -> Iterator[None]:
    """Ids remembered from another test's transaction mean nothing here."""
    metering.forget()
    yield
    metering.forget()


@pytest.fixture
def team(db: None) -> Actor:
    return orders_team("usage-team", *USAGE_DUTIES)


@pytest.fixture
def customer(team: Actor) -> Customer:
    make_catalogue(team)
    catalogue.save_meter("tokens", dimensions=["model", "kind"], actor=team)
    return make_customer(team)


@pytest.fixture
def order(team: Actor, customer: Customer) -> Order:
    """Active from 1 August 2026 for a year: tokens at 0.0000025 in arrears."""
    return make_order(team, customer, [line("TOKENS")], state="active")


@pytest.fixture
def tokens(order: Order) -> OrderLine:
    return order.lines.get()


def event(id: str, quantity: str = "100", time: str = "2026-08-03T10:15:00Z", **more: Any) -> dict[str, Any]:
    """An event as it is sent, of the first customer there is."""
    return {
        "id": id,
        "customer": Customer.objects.earliest("pk").number,
        "meter": "tokens",
        "time": time,
        "quantity": quantity,
        "dimensions": {"model": "gpt-4o"},
        **more,
    }


def send(actor: Actor, *events: dict[str, Any], source: str = "gateway", **more: Any) -> Outcome:
    body = json.dumps({"source": source, "events": events})
    return metering.ingest(body, actor=actor, **{"as_of": NOW, **more})
