"""The people of billing, the two companies with open books, and a customer of each."""

from __future__ import annotations

import pytest

from o2c.ledger.models import LegalEntity
from orders.models import Customer
from tests.factories.billing import Team, billing_team, books
from tests.factories.orders import make_customer


@pytest.fixture
def team(db: None) -> Team:
    return billing_team()


@pytest.fixture
def entities(team: Team) -> dict[str, LegalEntity]:
    return books(team)


@pytest.fixture
def customer(team: Team, entities: dict[str, LegalEntity]) -> Customer:
    """Globex in New York: 8.875 % on everything."""
    return make_customer(team.orders, "Globex", region="NY")
