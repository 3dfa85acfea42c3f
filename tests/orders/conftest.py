"""A company, its catalogue, a customer, and somebody who may do everything in orders."""

from __future__ import annotations

import pytest

from o2c.actor import Actor, acting
from orders.models import Customer, Sku
from tests.factories.orders import make_catalogue, make_customer, orders_team


@pytest.fixture
def team(db: None) -> Actor:
    return orders_team()


@pytest.fixture
def catalogue(team: Actor) -> dict[str, Sku]:
    return make_catalogue(team)


@pytest.fixture
def customer(team: Actor, catalogue: dict[str, Sku]) -> Customer:
    return make_customer(team)


@pytest.fixture
def writing(team: Actor):  # type: ignore[no-untyped-def]
    """`with writing(): …` for tests that go round the services, straight to the tables."""
    return lambda: acting(team, reason="test goes round the services")
