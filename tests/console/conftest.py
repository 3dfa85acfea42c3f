"""People who sign in to the console, and a client for each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.test import Client

from o2c import ledger
from o2c.access.models import User
from o2c.actor import Actor, acting
from o2c.ledger import services
from o2c.ledger.models import LegalEntity
from o2c.outbox.models import Delivery, DomainEvent
from o2c.periods import Period
from tests.factories.access import make_user

SignIn = Callable[..., Client]


@pytest.fixture(autouse=True)
def _no_kept_figures() -> None:
    cache.clear()


@pytest.fixture
def signed_in(db: None) -> SignIn:
    """signed_in("controller") → a client with such a person signed in; `client.person` is the user."""

    def sign_in(*roles: str, username: str = "", enforce_csrf: bool = False, excused: bool = False) -> Client:
        name = username or "-".join(roles).replace("_", "-") or "nobody"
        client = Client(enforce_csrf_checks=enforce_csrf)
        client.person = make_user(name, *roles, excused=excused)  # type: ignore[attr-defined]
        client.force_login(client.person, backend="o2c.access.backends.DutyBackend")  # type: ignore[attr-defined]
        return client

    return sign_in


@pytest.fixture
def maker(db: None) -> Actor:
    """Somebody who may set up entities and rates."""
    return Actor.of(make_user("set-up", "controller", "revenue_accounting", excused=True))


@pytest.fixture
def entity(maker: Actor) -> LegalEntity:
    """The US company with the months of 2026 open."""
    us = services.save_entity(
        "US", actor=maker, name="Northwind Inc.", legal_name="Northwind, Inc.", currency="USD", country="US",
        line1="1 Main St", city="Boston", postal_code="02110", email="billing@northwind.example",
        bank_name="First Bank", bank_account="123456789",
    )  # fmt: skip
    services.open_periods(us, Period(dt.date(2026, 1, 1), dt.date(2027, 1, 1)), actor=maker)
    return us


@pytest.fixture
def journals(entity: LegalEntity, maker: Actor, any_journal: None) -> None:
    """Three invoices on the books: 100.00, 250.50 and 1,000.00 dollars."""
    amounts = [Decimal("100.00"), Decimal("250.50"), Decimal("1000.00")]
    with acting(maker, reason="three invoices"):
        ledger.post([_entry(entity, number, amount) for number, amount in enumerate(amounts, start=1)])


def _entry(entity: LegalEntity, number: int, amount: Decimal) -> ledger.Entry:
    zero = Decimal(0)
    return ledger.Entry(
        entity_id=entity.pk, currency="USD", posting_date=dt.date(2026, 8, number),
        effective_date=dt.date(2026, 8, number), event_key=f"billing.invoice:{number}", rule="invoice.posted",
        source=f"billing.invoice:{number}", memo=f"Invoice {number}",
        lines=[
            ledger.Line(account="1100", debit=amount, credit=zero),
            ledger.Line(account="2100", debit=zero, credit=amount),
        ],
    )  # fmt: skip


def deliveries(states: list[str], actor: Actor) -> list[Delivery]:
    """One delivery per state, each of an event of its own."""
    with acting(actor, reason="events"):
        made = []
        for state in states:
            event = DomainEvent.objects.create(type="orders.order.activated", aggregate="orders.order:7")
            made.append(
                Delivery.objects.create(
                    event=event, consumer="revenue.contracts", aggregate=event.aggregate, state=state,
                    attempts=8, error="Traceback\nInvalidInput: no price" if state == "stuck" else "",
                )
            )  # fmt: skip
    return made


def person_of(client: Client) -> User:
    person = client.person  # type: ignore[attr-defined]
    assert isinstance(person, User)
    return person
