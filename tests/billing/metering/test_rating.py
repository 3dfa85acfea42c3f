"""From stored contracts and usage to what is due, and back as billed charges."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.domain.charges import accrued
from billing.domain.types import ChargeLine
from billing.models import Charge
from billing.services import rating
from o2c.actor import Actor, acting
from o2c.errors import DomainError
from o2c.invariants import services as invariants
from orders.models import Customer, Order, OrderLine
from orders.services import amendments
from tests.billing.metering.conftest import event, send
from tests.factories.orders import line, make_order

pytestmark = pytest.mark.django_db
SEPTEMBER = dt.date(2026, 9, 1)


def due(order: Order, through: dt.date) -> list[ChargeLine]:
    found = rating.due([order.pk], through)[order.pk]
    assert not isinstance(found, DomainError), found
    return found


def as_rows(lines: Iterable[ChargeLine]) -> list[Charge]:
    """The rows that posting writes."""
    same = ("kind", "period_from", "period_to", "service_from", "service_to", "covers_from", "covers_to")
    return [
        Charge(
            line_id=row.line,
            segment_id=row.segment,
            due_on=row.due_on,
            revision=row.revision,
            corrects_id=row.corrects,
            quantity=Decimal(row.quantity.numerator) / Decimal(row.quantity.denominator),
            amount=row.amount,
            currency=row.currency,
            **{name: getattr(row, name) for name in same},
        )
        for row in lines
    ]


def bill_through(order: Order, through: dt.date, actor: Actor) -> list[str]:
    lines = due(order, through)
    with acting(actor, reason="test"):
        Charge.objects.bulk_create(as_rows(lines))
    return [str(row.amount) for row in lines]


def test_usage_of_a_month_is_due_when_the_month_is_over(team: Actor, order: Order, tokens: OrderLine) -> None:
    send(
        team,
        event("a", "400000", "2026-08-01T00:00:00Z"),
        event("b", "600000", "2026-08-31T23:59:59Z"),
        event("c", "800000", "2026-09-01T00:00:00Z"),
    )

    assert due(order, dt.date(2026, 8, 31)) == []
    assert [str(row.amount) for row in due(order, SEPTEMBER)] == ["2.50"]


def test_what_was_billed_is_not_due_again_and_late_usage_is(
    team: Actor, order: Order, tokens: OrderLine
) -> None:
    send(team, event("a", "1000000"))
    assert bill_through(order, SEPTEMBER, team) == ["2.50"]
    assert bill_through(order, SEPTEMBER, team) == []

    send(team, event("late", "200000"))
    (late,) = due(order, SEPTEMBER)

    assert (str(late.amount), late.quantity, late.revision) == ("0.50", 200000, 1)
    assert (late.service_from, late.service_to) == (dt.date(2026, 8, 1), SEPTEMBER)
    bill_through(order, SEPTEMBER, team)
    assert bill_through(order, SEPTEMBER, team) == []


def test_an_amendment_credits_the_rest_and_charges_the_new(team: Actor, customer: Customer) -> None:
    """10 seats at 40.00 in advance; 15 from 16 August on: 16 of 31 days."""
    order = make_order(team, customer, [line("SEATS", 10)], state="active")
    assert bill_through(order, dt.date(2026, 8, 2), team) == ["400.00"]

    amendment = amendments.draft(
        order.pk,
        kind="quantity",
        effective_on=dt.date(2026, 8, 16),
        changes={"lines": [{"line": order.lines.get().pk, "quantity": "15"}]},
        reason="grew",
        actor=team,
    )
    amendments.apply(amendment.pk, actor=team, as_of=dt.date(2026, 8, 16))

    assert bill_through(order, dt.date(2026, 8, 17), team) == ["-206.45", "309.68"]
    assert bill_through(order, dt.date(2026, 8, 17), team) == []


def test_open_months_accrue_to_any_day(team: Actor, order: Order, tokens: OrderLine) -> None:
    send(team, event("a", "1000000", "2026-08-10T00:00:00Z"), event("b", "1000000", "2026-08-20T00:00:00Z"))
    until = dt.date(2026, 8, 15)
    timelines = rating.load_timelines([order.pk], until)

    charges = accrued(timelines[order.pk], rating.load_usage([order.pk], until, timelines), until)

    assert [str(charge.amount) for charge in charges] == ["2.50"]


def test_the_same_charge_cannot_be_stored_twice(team: Actor, order: Order, tokens: OrderLine) -> None:
    send(team, event("a", "1000000"))
    lines = due(order, SEPTEMBER)
    with acting(team, reason="test"):
        Charge.objects.bulk_create(as_rows(lines))

    with pytest.raises(IntegrityError, match="billing_charge_once"), transaction.atomic(), acting(team):
        Charge.objects.bulk_create(as_rows(lines))


def test_no_day_of_a_segment_is_first_billed_twice(team: Actor, order: Order, tokens: OrderLine) -> None:
    send(team, event("a", "1000000"))
    (row,) = as_rows(due(order, SEPTEMBER))
    bill_through(order, SEPTEMBER, team)
    row.period_from, row.service_from = dt.date(2026, 8, 15), dt.date(2026, 8, 15)

    with (
        pytest.raises(IntegrityError, match="billing_charge_no_day_twice"),
        transaction.atomic(),
        acting(team),
    ):
        row.save(force_insert=True)


def test_an_order_that_cannot_be_rated_does_not_stop_the_others(team: Actor, customer: Customer) -> None:
    good = make_order(team, customer, [line("SEATS", 1)], state="active")
    bad = make_order(team, customer, [line("TOKENS", usage_key="x")], state="active")
    send(team, event("a", "-5", key="x"))

    found = rating.due([good.pk, bad.pk], SEPTEMBER)

    assert isinstance(found[good.pk], list)
    error = found[bad.pk]
    assert isinstance(error, DomainError)
    assert "adds up to -5" in str(error)
    assert "TOKENS" in str(error)


def test_usage_after_a_cancellation_with_effect_in_the_past_is_a_finding(
    team: Actor, order: Order, tokens: OrderLine
) -> None:
    send(team, event("a", "100", "2026-08-03T10:00:00Z"), event("b", "70", "2026-08-20T10:00:00Z"))
    amendment = amendments.draft(
        order.pk,
        kind="cancel",
        effective_on=dt.date(2026, 8, 15),
        changes={"mode": "backdated"},
        as_of=dt.date(2026, 8, 25),
        reason="left",
        actor=team,
    )
    amendments.apply(amendment.pk, actor=team, as_of=dt.date(2026, 8, 25))

    (finding,) = rating.usage_findings(None, SEPTEMBER)

    assert finding[0] == "uncovered_usage"
    assert f"{order.number} line 1: 70" in finding[1]


def test_parked_events_are_a_finding(team: Actor, tokens: OrderLine) -> None:
    send(team, event("a", customer="C-000404"), event("b", customer="C-000404"))

    (finding,) = rating.usage_findings(None, SEPTEMBER)

    assert finding[0] == "unmatched_usage"
    assert "2 events of C-000404 wait" in finding[1]


def test_the_number_of_statements_is_the_same_for_one_order_and_for_many(
    team: Actor, customer: Customer
) -> None:
    orders = [
        make_order(team, customer, [line("SEATS", n), line("TOKENS", usage_key=str(n))], state="active")
        for n in range(1, 9)
    ]
    send(team, *(event(str(n), key=str(n)) for n in range(1, 9)))

    def statements(some: list[Order]) -> tuple[int, Any]:
        with CaptureQueriesContext(connection) as seen:
            found = rating.due([order.pk for order in some], SEPTEMBER)
        return len(seen), found

    one, _ = statements(orders[:1])
    many, found = statements(orders)

    # orders, segments, lines, overrides, coupons; what was billed; hourly totals
    assert (one, many) == (7, 7)
    assert len(found) == 8


def test_usage_that_names_no_known_dimensions_does_not_go_unseen(
    team: Actor, order: Order, tokens: OrderLine
) -> None:
    send(team, event("a", "400000"))
    assert [o.violations for o in invariants.check(["billing.usage-resolves"])] == [0]

    with acting(team, reason="test"), connection.cursor() as cursor:
        cursor.execute("UPDATE billing_usagehour SET dimensions_id = 999999 WHERE line_id = %s", [tokens.pk])

    found = invariants.check(["billing.usage-resolves"])[0]
    assert [(row["line_id"], row["dimensions_id"]) for row in found.sample] == [(tokens.pk, 999999)]
