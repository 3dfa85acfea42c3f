"""Defects planted in the draw of credit: the amounts of all lines are right, and the wrong grant pays."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from billing.domain import grants as domain
from billing.models import BillRun, Grant
from billing.selectors import grants as selectors
from billing.services import covering, grants, metering
from o2c.actor import Actor
from orders.models import Customer, Order
from tests.billing.recalculation.test_planted_defects import refused, send
from tests.factories.billing import Team, bill
from tests.factories.orders import line, make_catalogue, make_order

AUGUST, FIRST = dt.date(2026, 9, 1), dt.date(2026, 8, 1)


@pytest.fixture
def metered(team: Team, customer: Customer) -> Order:
    """40,000,000 tokens in August at 0.0000025: 100.00."""
    make_catalogue(team.orders)
    metering.forget()
    order = make_order(team.orders, customer, [line("TOKENS")], state="active", terms={"po_number": "PO"})
    send(team, customer, ("a", "40000000"))
    return order


@pytest.fixture
def giver(team: Team) -> Actor:
    return team.approver


@pytest.fixture
def two(giver: Actor, customer: Customer, metered: Order) -> tuple[Grant, Grant]:
    """60.00 that ends with the year, and 60.00 that is older and never ends."""
    forever = promote(giver, customer)
    return promote(giver, customer, ends_on=dt.date(2027, 1, 1)), forever


def promote(giver: Actor, customer: Customer, **terms: Any) -> Grant:
    values: dict[str, Any] = {"starts_on": FIRST, "amount": Decimal(60), **terms}
    return grants.promote(customer_id=customer.pk, actor=giver, reason="For the trouble", **values)


def step(run: BillRun) -> str:
    return str(run.findings.get(code="recalculation").working["first"])


def test_both_agree_on_who_pays(team: Team, metered: Order, two: tuple[Grant, Grant]) -> None:
    run = bill(team, AUGUST)
    soon, forever = (Grant.objects.get(pk=one.pk).remaining for one in two)

    assert run.totals["USD"]["recalculated"] == "0.00"
    assert (soon, forever) == (0, 20)


def test_another_order_of_consumption(
    team: Team, metered: Order, two: tuple[Grant, Grant], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine draws the older grant first, and not the one that ends first: both lines come to -100.00."""
    soon, forever = two
    monkeypatch.setattr(domain, "first", lambda grant: grant.id)
    run = bill(team, AUGUST, upto="calculated")

    assert step(run) == "Drawn from grants"
    message = run.findings.get(code="recalculation").message
    assert f"beside grant {forever.pk}: 40.000 from 2026-08-01; grant {soon.pk}: 60.000" in message
    refused(team, run)


def test_a_scope_that_is_not_looked_at(
    team: Team, giver: Actor, customer: Customer, metered: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(giver, customer, scope={"skus": ["SEATS"]})
    monkeypatch.setattr(selectors, "in_scope", lambda grant, line: True)
    run = bill(team, AUGUST, upto="calculated")

    assert step(run) == "Drawn from grants"
    refused(team, run)


def test_a_grant_that_had_not_begun(
    team: Team, giver: Actor, customer: Customer, metered: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(giver, customer, starts_on=dt.date(2026, 8, 20))
    monkeypatch.setattr(domain.Grant, "covers", lambda self, part: True)
    run = bill(team, AUGUST, upto="calculated")

    assert step(run) == "Drawn from grants"


def test_a_grant_that_is_drawn_twice(
    team: Team, metered: Order, two: tuple[Grant, Grant], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = selectors.as_domain
    monkeypatch.setattr(
        selectors, "as_domain", lambda *a: [replace(one, left=one.left + 60) for one in honest(*a)]
    )
    run = bill(team, AUGUST, upto="calculated")

    assert step(run) == "Drawn from grants"
    refused(team, run)


def test_credit_that_is_forgotten(
    team: Team, metered: Order, two: tuple[Grant, Grant], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(covering, "cover", list)
    run = bill(team, AUGUST, upto="calculated")

    assert step(run) == "Parts of the usage"
    refused(team, run)


def test_a_correction_that_gives_back_the_first_draw_first(
    team: Team, customer: Customer, metered: Order, two: tuple[Grant, Grant], monkeypatch: pytest.MonkeyPatch
) -> None:
    """100.00 became 80.00: the last draw gets 20.00 back; the engine gives them to the first."""
    bill(team, AUGUST)
    send(team, customer, ("less", "-8000000"))
    honest = domain._restored
    monkeypatch.setattr(domain, "_restored", lambda part, held: honest(part, tuple(reversed(held))))
    run = bill(team, dt.date(2026, 10, 1), upto="calculated")

    assert step(run) == "Given back to grants"
    refused(team, run)
