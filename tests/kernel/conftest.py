"""Two companies and their books."""

from __future__ import annotations

import datetime as dt

import pytest

from o2c.actor import Actor, acting
from o2c.ledger.models import ExchangeRate, LegalEntity
from o2c.ledger.services import open_periods
from o2c.periods import Period
from tests.factories.access import make_user


@pytest.fixture
def us(actor: Actor) -> LegalEntity:
    with acting(actor):
        entity = LegalEntity.objects.create(
            code="US", name="Acme US", legal_name="Acme Inc.", currency="USD", country="US",
            line1="1 Main St", city="Austin", postal_code="78701", email="ar@acme.example",
            bank_name="First", bank_account="1",
        )  # fmt: skip
    controller = Actor.of(make_user("carla", "controller"))
    open_periods(entity, Period(dt.date(2026, 8, 1), dt.date(2026, 11, 1)), actor=controller)
    return entity


@pytest.fixture
def eurusd(actor: Actor) -> ExchangeRate:
    with acting(actor):
        return ExchangeRate.objects.create(
            from_currency="EUR", to_currency="USD", valid_on=dt.date(2026, 8, 1), rate="1.1", source="ECB"
        )
