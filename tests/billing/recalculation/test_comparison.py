"""The nightly comparison of open contracts, and the last guards against billing something twice."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.domain import charges
from billing.models import Charge, Divergence, Invoice
from billing.services import metering, rerating, runs
from o2c.actor import acting
from o2c.errors import Conflict, NotAuthorised
from o2c.money import quantize
from orders.models import Customer, Order
from tests.factories.billing import Team, bill, person
from tests.factories.orders import line, make_catalogue, make_customer, make_order

AUGUST, SEPTEMBER = dt.date(2026, 9, 1), dt.date(2026, 10, 1)
NIGHT = dt.date(2026, 9, 8)


@pytest.fixture
def order(team: Team, customer: Customer) -> Order:
    """10 seats at 40.00 and tokens at 0.0000025, billed for August with 1,000,000 tokens."""
    metering.forget()
    make_catalogue(team.orders)
    order = make_order(
        team.orders, customer, [line("SEATS", 10), line("TOKENS")], state="active", terms={"po_number": "PO"}
    )
    send(customer, "a", "1000000")
    bill(team, AUGUST)
    return order


def send(customer: Customer, id: str, quantity: str) -> None:
    row: dict[str, object] = {
        "id": id,
        "customer": customer.number,
        "meter": "tokens",
        "time": "2026-08-10T10:00:00Z",
        "quantity": quantity,
    }
    (outcome,) = metering.ingest_events(
        "gateway", [row], actor=person("meter", "metering"), as_of=dt.datetime(2026, 9, 2, tzinfo=dt.UTC)
    )
    assert outcome.accepted == 1


def compare(team: Team, on: dt.date = NIGHT) -> rerating.Outcome:
    return rerating.rerate(as_of=on, actor=team.ops)


def test_what_is_billed_as_expected_is_no_divergence(team: Team, order: Order) -> None:
    outcome = compare(team)

    assert (outcome.contracts, outcome.diverging) == (1, 0)
    assert not Divergence.objects.exists()
    assert Invoice.objects.count() == 1


def test_late_usage_diverges_until_a_run_bills_it(team: Team, order: Order, customer: Customer) -> None:
    send(customer, "late", "400000")

    assert compare(team).diverging == 1
    (row,) = Divergence.objects.all()
    assert (row.kind, row.billed, row.expected, row.recalculated) == (
        "usage", Decimal("2.50"), Decimal("3.50"), Decimal("3.50"),
    )  # fmt: skip
    assert row.problem == ""
    assert Invoice.objects.filter(state="draft").count() == 0

    assert compare(team, dt.date(2026, 9, 9)).diverging == 1  # the same row, seen again
    row.refresh_from_db()
    assert (row.first_seen_on, row.seen_on, row.cleared_on) == (NIGHT, dt.date(2026, 9, 9), None)

    bill(team, SEPTEMBER)
    outcome = compare(team, dt.date(2026, 10, 2))
    row.refresh_from_db()
    assert (outcome.diverging, outcome.cleared, row.cleared_on) == (0, 1, dt.date(2026, 10, 2))


def test_an_hourly_total_that_drifted_is_told_from_late_usage(team: Team, order: Order) -> None:
    """Only the engine reads hourly totals: it would credit, the second calculator would not."""
    with acting(team.ops, reason="test"), connection.cursor() as cursor:
        cursor.execute("UPDATE billing_usagehour SET quantity = quantity / 2")

    compare(team)

    (row,) = Divergence.objects.all()
    assert (row.billed, row.expected, row.recalculated) == (Decimal("2.50"), Decimal("1.25"), Decimal("2.50"))
    assert "two calculators differ" in row.problem


def test_an_engine_that_changed_its_mind_about_posted_months_is_noticed(
    team: Team, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charges, "quantize", lambda value, currency: quantize(value, currency) + 1)

    assert compare(team).diverging == 2
    assert set(Divergence.objects.values_list("kind", flat=True)) == {"recurring", "usage"}


def test_comparing_needs_its_duty_and_a_fixed_number_of_statements(
    team: Team, order: Order, customer: Customer
) -> None:
    with pytest.raises(NotAuthorised):
        rerating.rerate(as_of=NIGHT, actor=team.cash)
    with CaptureQueriesContext(connection) as one:
        compare(team)
    for n in range(3):
        buyer = make_customer(team.orders, f"Buyer {n}", region="NY")
        make_order(team.orders, buyer, [line("SEATS", n + 1)], state="active", terms={"po_number": "PO"})
    bill(team, AUGUST)
    with CaptureQueriesContext(connection) as many:
        assert compare(team).contracts == 4

    assert len(many) <= len(one) + 1


COPY = """
INSERT INTO billing_charge (line_id, segment_id, kind, currency, amount, quantity, revision, corrects_id,
    period_from, period_to, service_from, service_to, covers_from, covers_to, due_on, trace, run_id)
SELECT line_id, segment_id, kind, currency, amount, quantity, revision, corrects_id,
    {period_from}, period_to, {service_from}, {service_to}, covers_from, covers_to, due_on, trace, run_id
FROM billing_charge WHERE kind = 'recurring'
"""


def attack(team: Team, **columns: str) -> None:
    same = {name: name for name in ("period_from", "service_from", "service_to")}
    with transaction.atomic(), acting(team.ops, reason="attack"), connection.cursor() as cursor:
        cursor.execute(COPY.format(**{**same, **columns}))


@pytest.mark.parametrize(
    ("columns", "guard"),
    [
        ({}, "billing_charge_once"),
        ({"period_from": "period_from - 1"}, "billing_charge_no_day_twice"),
        (
            {"period_from": "period_from - 40", "service_from": "service_to - 1"},
            "billing_charge_no_day_twice",
        ),
        (
            {
                "period_from": "period_from + 3",
                "service_from": "service_from + 3",
                "service_to": "service_from + 4",
            },
            "billing_charge_no_day_twice",
        ),
    ],
)
def test_no_interval_is_billed_twice_by_raw_sql(
    team: Team, order: Order, columns: dict[str, str], guard: str
) -> None:
    """As the product's own database role: the same charge, under another key, one day of it, or inside it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("o2c_app",)

    with pytest.raises(DatabaseError, match=guard):
        attack(team, **columns)
    assert Charge.objects.filter(kind="recurring").count() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_charge SET revision = revision + 1",
        "DELETE FROM billing_charge",
        "ALTER TABLE billing_charge DROP CONSTRAINT billing_charge_once",
        "ALTER TABLE billing_charge DISABLE TRIGGER ALL",
        "DROP TRIGGER billing_run_is_recalculated ON billing_billrun",
    ],
)
def test_nor_are_the_guards_got_out_of_the_way(team: Team, order: Order, statement: str) -> None:
    with (
        pytest.raises(DatabaseError),
        transaction.atomic(),
        acting(team.ops, reason="attack"),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.parametrize("amount", ["40.00", "0"])
def test_the_breaker_stops_a_run_of_broken_contracts_at_any_price(
    team: Team, customer: Customer, monkeypatch: pytest.MonkeyPatch, amount: str
) -> None:
    """Contracts that nobody can charge stop the run, also when all they could be charged is nothing."""
    monkeypatch.setattr(runs, "BREAKER_FLOOR", 3)
    override: Any = {"model": "per_unit", "unit_amount": amount}
    make_catalogue(team.orders)
    monkeypatch.setattr("billing.domain.timelines.MAX_SLOTS", 1)
    for n in range(4):
        buyer = make_customer(team.orders, f"Long {n}", region="NY")
        make_order(team.orders, buyer, [line("SEATS", 1, price_override=override)], state="active")

    with pytest.raises(Conflict, match="the run stopped itself"):
        bill(team, dt.date(2026, 12, 1), upto="calculated")
    assert not Invoice.objects.exists()
