"""Two companies and their books."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

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


@pytest.fixture
def books_alone(us: LegalEntity, as_owner: Any) -> Iterator[None]:
    """The books without the revenue close, whose own guard asks for two signatures before a lock."""

    def switch(how: str) -> None:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
            cursor.execute(f"ALTER TABLE ledger_accountingperiod {how} TRIGGER revenue_locked_by_close")

    switch("DISABLE")
    yield
    switch("ENABLE ALWAYS")
