"""Defects planted in schedules, remainders and filters: the second calculator names the step that differs."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from billing.domain import aggregation, remainders
from billing.models import BillRun, BillRunFinding, InvoiceLine
from billing.services import metering, rating, runs
from orders.models import Customer, Order, Sku
from orders.services import catalogue, milestones
from orders.services.inputs import PriceInput
from tests.billing.recalculation.test_planted_defects import refused, send
from tests.factories.billing import Team, bill
from tests.factories.orders import line, make_catalogue, make_order, make_prices

AUGUST = dt.date(2026, 9, 1)


def steps(run: BillRun) -> list[tuple[str, str]]:
    """What is found: the first step that differs, and the message, in the order of the findings."""
    found: list[BillRunFinding] = list(run.findings.filter(code="recalculation").order_by("pk"))
    return [(one.working["first"], one.message) for one in found]


@pytest.fixture
def project(team: Team, customer: Customer) -> Order:
    """Onboarding for 2,500.00: 1,000.00 on 15 August, the rest on acceptance, which was on 20 August."""
    schedule = (
        {"on": "2026-08-15", "amount": "1000.00", "name": "On signature"},
        {"milestone": "Acceptance", "amount": "1500.00"},
    )
    order = make_order(
        team.orders,
        customer,
        [line("ONBOARDING", schedule=schedule)],
        state="active",
        terms={"po_number": "PO"},
    )
    milestones.record(
        order.pk,
        line=order.lines.get().pk,
        milestone="Acceptance",
        reached_on=dt.date(2026, 8, 20),
        as_of=dt.date(2026, 8, 21),
        actor=team.orders,
        reason="Protocol",
    )
    return order


def test_schedules_and_milestones_are_recalculated(team: Team, project: Order) -> None:
    run = bill(team, AUGUST, upto="released")

    assert run.totals["USD"]["expected"] == run.totals["USD"]["recalculated"] == "2500.00"
    assert not run.findings.filter(code="not_recalculated").exists()


def test_an_instalment_with_another_amount(
    team: Team, project: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = rating._instalments

    def mutated(*arguments: Any) -> Any:
        first, second = honest(*arguments)
        return replace(first, amount=first.amount + 1), second

    monkeypatch.setattr(rating, "_instalments", mutated)
    run = bill(team, AUGUST, upto="calculated")

    ((first, message),) = steps(run)
    assert first == "Instalments"
    assert "On signature 1001 beside On signature 1000" in message
    refused(team, run)


def test_a_milestone_that_was_reached_on_another_day(
    team: Team, project: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = rating._instalments

    def mutated(*arguments: Any) -> Any:
        first, second = honest(*arguments)
        return first, replace(second, on=second.on + dt.timedelta(days=1))

    monkeypatch.setattr(rating, "_instalments", mutated)
    run = bill(team, AUGUST, upto="calculated")

    assert [first for first, _ in steps(run)] == ["Period", "Period"]
    assert "from 2026-08-20: drafted 0, recalculated 1500.00" in steps(run)[0][1]


def test_a_remainder_that_nobody_takes(
    team: Team, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100.00 a year in twelve months: eleven times 8.33, and 8.37 by the last; not twelve times 8.33."""
    make_catalogue(team.orders)
    yearly = {"model": "flat", "amount": "100.00"}
    make_prices(team.orders, [PriceInput("PLATFORM", "USD", yearly, dt.date(2026, 1, 15), period="year")])
    make_order(
        team.orders,
        customer,
        [line("PLATFORM")],
        state="active",
        starts_on=dt.date(2026, 2, 1),
        ends_on=dt.date(2027, 2, 1),
        terms={"remainder": "last", "proration": "whole_months", "po_number": "PO"},
    )
    whole = dt.date(2027, 2, 1)
    run = bill(team, whole, upto="calculated", issue_on=dt.date(2026, 12, 31))
    assert run.totals["USD"]["expected"] == run.totals["USD"]["recalculated"] == "100.00"
    last = InvoiceLine.objects.filter(invoice__run=run).order_by("service_from").last()
    assert last is not None
    assert str(last.net) == "8.370"

    runs.reopen(run.pk, actor=team.ops, reason="Once more")
    monkeypatch.setattr(remainders, "spread", lambda line, charges: list(charges))
    runs.calculate(run.pk, actor=team.ops)

    ((first, message),) = steps(run)
    assert first == "Remainder of the price period"
    assert "drafted 8.330, recalculated 8.37" in message


def test_usage_that_the_meter_does_not_count(
    team: Team, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,000,000 tokens without a kind, of a meter that counts output: nothing; the engine counts them all."""
    make_catalogue(team.orders)
    metering.forget()
    catalogue.save_meter(
        "output",
        name="Output tokens",
        unit="token",
        event_type="output",
        value_property="tokens",
        dimensions=["kind"],
        filters={"kind": ["output"]},
        actor=team.orders,
    )
    catalogue.set_meter(Sku.objects.get(code="TOKENS").pk, meter="output", actor=team.orders)
    make_order(team.orders, customer, [line("TOKENS")], state="active", terms={"po_number": "PO"})
    send(team, customer, ("a", "2000000"), meter="output")
    monkeypatch.setattr(aggregation, "is_counted", lambda dimensions, filters: True)
    run = bill(team, AUGUST, upto="calculated")

    ((first, message),) = steps(run)
    assert (first, "2000000 beside 0" in message) == ("Quantity", True)
