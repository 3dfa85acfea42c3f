"""Credit that is paid for by instalments: what is opened, taken back, and split when it does not divide."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from billing.models import Grant
from orders.models import Customer, Order
from orders.services import milestones
from tests.factories.billing import Team, bill
from tests.factories.grants import use
from tests.factories.orders import line, make_order

D = Decimal
SEP, OCT = dt.date(2026, 9, 1), dt.date(2026, 10, 1)


@pytest.fixture
def order(team: Team, customer: Customer) -> Order:
    """9,000.00 for credit of 10,000.00: a third at once, a third in September, a third on acceptance."""
    schedule = (
        {"on": "2026-08-01", "amount": "3000.00"},
        {"on": "2026-09-15", "amount": "3000.00"},
        {"milestone": "Acceptance", "amount": "3000.00"},
    )
    lines = [line("COMMIT", schedule=schedule), line("TOKENS")]
    return make_order(team.orders, customer, lines, state="active", terms={"po_number": "PO"})


def opened() -> list[tuple[str, Decimal, Decimal, Decimal]]:
    rows = Grant.objects.order_by("starts_on", "instalment")
    return [(str(one.starts_on), one.granted, one.paid, one.remaining) for one in rows]


def accept(team: Team, order: Order, day: str) -> None:
    milestones.record(
        order.pk,
        line=order.lines.get(sku__code="COMMIT").pk,
        milestone="Acceptance",
        reached_on=dt.date.fromisoformat(day),
        as_of=dt.date(2026, 8, 30),
        actor=team.orders,
        reason="Protocol",
    )


def test_each_instalment_opens_its_share_when_it_is_billed(team: Team, order: Order) -> None:
    assert opened() == []

    bill(team, SEP)
    assert opened() == [("2026-08-01", D("3333.34"), D("3000.00"), D("3333.34"))]
    bill(team, SEP)
    assert len(opened()) == 1

    accept(team, order, "2026-08-20")
    bill(team, OCT)
    assert [(day, granted) for day, granted, _, _ in opened()] == [
        ("2026-08-01", D("3333.34")),
        ("2026-08-20", D("3333.33")),
        ("2026-09-15", D("3333.33")),
    ]


def test_a_milestone_that_is_taken_back_takes_its_credit_with_it(
    team: Team, order: Order, customer: Customer
) -> None:
    """4,000.00 were used of 6,666.67; when it is accepted again, 666.66 of its credit are used already."""
    accept(team, order, "2026-08-02")
    use(customer, "4000.00", "2026-08-25")
    bill(team, SEP)
    # both last as long as the order, so the older one is drawn first
    assert [(day, left) for day, _, _, left in opened()] == [
        ("2026-08-01", D("0")),
        ("2026-08-02", D("2666.67")),
    ]

    milestones.retract(
        order.pk,
        line=order.lines.get(sku__code="COMMIT").pk,
        milestone="Acceptance",
        actor=team.orders,
        reason="Signed by nobody",
    )
    bill(team, dt.date(2026, 9, 2))
    assert [left for *_, left in opened()] == [D("0"), D("0")]

    accept(team, order, "2026-08-30")
    bill(team, dt.date(2026, 9, 2))
    assert opened()[-1] == ("2026-08-30", D("2666.67"), D("2400.01"), D("2666.67"))
