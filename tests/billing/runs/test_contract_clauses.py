"""Clauses of a contract through the services: order, bill run, documents."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Invoice, InvoiceLine
from o2c.errors import Conflict, InvalidInput
from orders.models import Customer, Order
from orders.services import amendments, milestones
from orders.services.inputs import PriceInput
from tests.factories.billing import Team, bill
from tests.factories.orders import line, make_order, make_prices

SCHEDULE: list[dict[str, Any]] = [
    {"on": "2026-08-15", "amount": "1000.00", "name": "On signature"},
    {"milestone": "Acceptance", "amount": "1500.00"},
]


def billed(team: Team, through: str) -> list[tuple[str, str]]:
    """What a run bills: description and net of every line that it posts."""
    run = bill(team, dt.date.fromisoformat(through), issue_on=dt.date(2026, 9, 10))
    rows = InvoiceLine.objects.filter(invoice__run=run).order_by("invoice_id", "position")
    return [(row.description, f"{row.net:.2f}") for row in rows]


@pytest.fixture
def project(team: Team, customer: Customer) -> Order:
    """Onboarding for 2,500.00: 1,000.00 on 15 August, the rest on acceptance."""
    return make_order(team.orders, customer, [line("ONBOARDING", schedule=tuple(SCHEDULE))], state="active")


def test_a_schedule_with_a_milestone_from_order_to_credit(team: Team, project: Order) -> None:
    (row,) = project.lines.all()
    assert billed(team, "2026-08-15") == []
    assert billed(team, "2026-08-16") == [("Onboarding: On signature", "1000.00")]

    milestones.record(
        project.pk,
        line=row.pk,
        milestone="Acceptance",
        reached_on=dt.date(2026, 8, 20),
        as_of=dt.date(2026, 8, 21),
        actor=team.orders,
        reason="Protocol of 20 August",
    )
    assert billed(team, "2026-09-01") == [("Onboarding: Acceptance", "1500.00")]
    assert billed(team, "2026-09-01") == []

    milestones.retract(
        project.pk, line=row.pk, milestone="Acceptance", actor=team.orders, reason="Signed by nobody"
    )
    assert [net for _, net in billed(team, "2026-09-01")] == ["-1500.00"]
    assert sum(Invoice.objects.values_list("net", flat=True)) == Decimal("1000.00")


def test_what_can_not_be_recorded(team: Team, project: Order) -> None:
    (row,) = project.lines.all()
    said: dict[str, Any] = {"line": row.pk, "as_of": dt.date(2026, 8, 21), "actor": team.orders}
    reached = dt.date(2026, 8, 20)
    with pytest.raises(InvalidInput, match="no milestone 'Go-live'"):
        milestones.record(project.pk, milestone="Go-live", reached_on=reached, **said)
    with pytest.raises(InvalidInput, match="has not come yet"):
        milestones.record(project.pk, milestone="Acceptance", reached_on=dt.date(2026, 8, 22), **said)
    with pytest.raises(InvalidInput, match="not in force on 2026-07-31"):
        milestones.record(project.pk, milestone="Acceptance", reached_on=dt.date(2026, 7, 31), **said)
    milestones.record(project.pk, milestone="Acceptance", reached_on=reached, **said)
    with pytest.raises(Conflict, match="recorded as reached on 2026-08-20 already"):
        milestones.record(project.pk, milestone="Acceptance", reached_on=reached, **said)


def test_a_schedule_that_does_not_sum_to_the_price_blocks_activation(team: Team, customer: Customer) -> None:
    with pytest.raises(Conflict, match=r"instalments sum to 1000.00 USD, the line is worth 2500.00 USD"):
        make_order(team.orders, customer, [line("ONBOARDING", schedule=tuple(SCHEDULE[:1]))], state="active")


def test_a_schedule_is_read_strictly(team: Team, customer: Customer) -> None:
    wrong = [
        {"on": "2026-02-30", "amount": "1"},
        {"on": "2030-01-01", "amount": "1.001"},
        {"milestone": "A", "amount": "-1"},
        {"milestone": "A", "amount": "1", "when": "soon"},
    ]
    with pytest.raises(InvalidInput) as refused:
        make_order(team.orders, customer, [line("ONBOARDING", schedule=tuple(wrong))])
    assert set(refused.value.fields) == {
        "lines[0].schedule[0].on",
        "lines[0].schedule[1].on",
        "lines[0].schedule[1].amount",
        "lines[0].schedule[2].amount",
        "lines[0].schedule[3].milestone",
        "lines[0].schedule[3].when",
    }


def test_the_quantity_of_a_scheduled_line_is_not_amended(team: Team, project: Order) -> None:
    (row,) = project.lines.all()
    with pytest.raises(InvalidInput, match="billed by a schedule"):
        amendments.draft(
            project.pk,
            kind="quantity",
            effective_on=dt.date(2026, 8, 1),
            changes={"lines": [{"line": row.pk, "quantity": "2"}]},
            actor=team.orders,
        )


def test_weekly_on_the_calendar_with_a_stub(team: Team, customer: Customer) -> None:
    # 1 August 2026 is a Saturday: 2 of 7 days of 7.00, then whole weeks from Monday on
    weekly = {"model": "flat", "amount": "7.00"}
    make_order(team.orders, customer, [line("ONBOARDING")])  # makes the catalogue
    make_prices(team.orders, [PriceInput("PLATFORM", "USD", weekly, dt.date(2026, 2, 1), period="week")])
    make_order(
        team.orders,
        customer,
        [line("PLATFORM")],
        terms={"billing_frequency": "week", "anchor": "calendar"},
        state="active",
    )
    assert [net for _, net in billed(team, "2026-08-11")] == ["2.00", "7.00", "7.00"]


def test_a_billing_day_other_than_the_first(team: Team, customer: Customer) -> None:
    make_order(
        team.orders,
        customer,
        [line("PLATFORM")],
        terms={"anchor": "calendar", "anchor_on": dt.date(2026, 8, 15)},
        state="active",
    )
    # 1 to 15 August are 14 of the 31 days from 15 July: 500.00 x 14/31 = 225.81
    assert [net for _, net in billed(team, "2026-08-16")] == ["225.81", "500.00"]


def test_last_day_counted_and_remainder_on_the_last_charge(team: Team, customer: Customer) -> None:
    make_order(
        team.orders,
        customer,
        [line("PLATFORM", starts_on=dt.date(2026, 8, 8))],
        terms={"anchor": "calendar", "counted_day": "last", "remainder": "last"},
        state="active",
    )
    # from 8 August, the 8th not counted: 23 of 31 days of 500.00
    assert [net for _, net in billed(team, "2026-08-31")] == ["370.97"]
