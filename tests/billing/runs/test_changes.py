"""Changes of a running contract, from the amendment to the invoice. 31 days of August 2026 throughout."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from billing.domain.charges import expected
from billing.models import Charge, Invoice, InvoiceLine
from billing.services import rating
from o2c import outbox
from o2c.errors import Conflict, DomainError, InvalidInput
from orders.models import Customer, Entitlement, Order, OrderLine
from orders.services import amendments
from tests.factories.billing import Team, bill
from tests.factories.orders import applied_amendment, line, make_customer, make_order

AUGUST = dt.date(2026, 8, 2)


def day(number: int, month: int = 8) -> dt.date:
    return dt.date(2026, month, number)


def amend(team: Team, order: Order, kind: str, on: dt.date, **changes: Any) -> None:
    drafted = amendments.draft(
        order.pk,
        kind=kind,
        effective_on=on,
        changes=changes,
        as_of=day(1),
        actor=team.orders,
        reason="as agreed",
    )
    applied_amendment(drafted, team.orders, as_of=day(1))


def billed(team: Team, through: dt.date) -> list[str]:
    run = bill(team, through, issue_on=dt.date(2026, 9, 10))
    rows = InvoiceLine.objects.filter(invoice__run=run).order_by(
        "invoice__customer", "order_line__position", "service_from"
    )
    return [f"{row.net:.2f}" for row in rows]


@pytest.fixture
def order(team: Team, customer: Customer) -> Order:
    """10 seats at 40.00 a month in advance, August billed."""
    made = make_order(team.orders, customer, [line("SEATS", 10)], state="active")
    assert billed(team, AUGUST) == ["400.00"]
    return made


def seats(order: Order) -> int:
    return OrderLine.objects.get(order=order, sku__code="SEATS").pk


def test_up_down_and_up_again(team: Team, order: Order) -> None:
    for on, quantity in ((11, "15"), (16, "5"), (21, "20")):
        amend(team, order, "quantity", day(on), lines=[{"line": seats(order), "quantity": quantity}])

    # 10 days of 400.00, 5 of 600.00, 5 of 200.00, 11 of 800.00; 400.00 is billed
    assert sorted(billed(team, day(31))) == ["-270.97", "283.87", "32.26", "96.77"]
    assert billed(team, day(31)) == []


def test_another_plan_and_back_again(team: Team, order: Order) -> None:
    amend(team, order, "plan", day(16), lines=[{"line": seats(order), "sku": "PLATFORM"}])
    # 16 of 31 days: of 400.00 back, of 500.00 due
    assert billed(team, day(31)) == ["-206.45", "258.06"]

    amend(team, order, "undo", day(16), amendment=1)
    assert billed(team, day(31)) == ["206.45", "-258.06"]
    assert sum(Charge.objects.values_list("amount", flat=True)) == Decimal("400.00")


def test_paused_for_ten_days(team: Team, order: Order) -> None:
    amend(team, order, "pause", day(11), until="2026-08-21")

    # 10 of 31 days before, 11 after
    assert billed(team, day(31)) == ["-270.97", "141.94"]


def test_paused_until_somebody_resumes(team: Team, order: Order) -> None:
    amend(team, order, "pause", day(11))
    assert billed(team, day(2, 9)) == ["-270.97"]
    assert [s.quantity for s in order.lines.get().segments.filter(paused=True)] == [10]

    amend(team, order, "resume", day(16, 9))
    # 15 of the 30 days of September
    assert billed(team, day(30, 9)) == ["200.00"]


def test_nothing_to_resume_is_said(team: Team, order: Order) -> None:
    with pytest.raises(InvalidInput, match="changes nothing"):
        amend(team, order, "resume", day(16))


def test_a_pause_takes_the_entitlement_away_for_as_long(team: Team, order: Order) -> None:
    amend(team, order, "pause", day(11), until="2026-08-21")
    outbox.drain()

    granted = Entitlement.objects.exclude(state="revoked").order_by("starts_on")
    assert [(e.starts_on, e.ends_on) for e in granted] == [
        (day(1), day(11)),
        (day(21), dt.date(2027, 8, 1)),
    ]


def test_transferred_to_another_customer_in_the_middle_of_a_month(
    team: Team, order: Order, customer: Customer
) -> None:
    other = make_customer(team.orders, "Initech", region="NY")
    amend(team, order, "transfer", day(16), customer=other.number)
    new = Order.objects.get(customer=other)

    assert (new.starts_on, new.ends_on, new.anchor_on, new.state) == (
        day(16),
        dt.date(2027, 8, 1),
        day(1),
        "active",
    )
    assert new.opened_by.order == order
    # the unused 16 of 31 days are credited here and charged there, on the same periods
    assert billed(team, day(2, 9)) == ["-206.45", "206.45", "400.00"]
    assert Invoice.objects.get(customer=customer, kind="credit_memo").net == Decimal("-206.45")
    with pytest.raises(Conflict, match="not undone"):
        amend(team, order, "undo", day(16), amendment=1)


def test_who_can_not_take_an_order_over(team: Team, order: Order) -> None:
    euro = make_customer(team.orders, "Umbrella", entity="IE", currency="EUR")
    for number, why in (
        (order.customer.number, "has the order already"),
        (euro.number, "pays in EUR"),
        ("C-999999", "is not known"),
    ):
        with pytest.raises(DomainError, match=why):
            amend(team, order, "transfer", day(16), customer=number)


def test_undo_wants_the_line_as_the_amendment_left_it(team: Team, order: Order) -> None:
    amend(team, order, "quantity", day(11), lines=[{"line": seats(order), "quantity": "15"}])
    amend(team, order, "quantity", day(16), lines=[{"line": seats(order), "quantity": "20"}])
    with pytest.raises(Conflict, match="changed again since"):
        amend(team, order, "undo", day(1), amendment=1)
    amend(team, order, "undo", day(1), amendment=2)
    amend(team, order, "undo", day(1), amendment=1)

    assert billed(team, day(31)) == []


def test_a_cancellation_is_undone_before_its_day(team: Team, order: Order) -> None:
    amend(team, order, "cancel", day(16), mode="now")
    amend(team, order, "undo", day(1), amendment=1)
    order.refresh_from_db()

    assert (order.ends_on, order.cancelled_on) == (dt.date(2027, 8, 1), None)
    assert billed(team, day(31)) == []


def test_an_added_line_is_billed_in_the_periods_of_the_order_and_ends_with_it(
    team: Team, order: Order
) -> None:
    amend(team, order, "add_line", day(16), lines=[{"sku": "PLATFORM"}])

    assert billed(team, day(2, 9)) == ["400.00", "258.06", "500.00"]
    added = order.lines.get(sku__code="PLATFORM").segments.get()
    assert added.ends_on == dt.date(2027, 8, 1)


def test_a_line_that_is_paused_from_its_first_day_on_costs_nothing(team: Team, order: Order) -> None:
    amend(team, order, "pause", day(1))
    timeline = rating.load_timelines([order.pk], dt.date.max)[order.pk]

    assert expected(timeline, {}, dt.date(2028, 1, 1)) == []
