"""Set-based means: the number of statements does not grow with the number of rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from o2c.actor import Actor
from o2c.outbox.relay import deliver
from orders.models import Customer, Order
from orders.selectors import activation, value
from orders.services import entitlements, orders
from orders.services.inputs import OrderInput
from tests.factories.orders import TERM_END, TERM_START, line

pytestmark = pytest.mark.django_db


def queries(act: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)


def inputs(customer: Customer, count: int) -> list[OrderInput]:
    lines = (line("SEATS", 10), line("TOKENS"), line("PLATFORM"))
    return [OrderInput(customer.pk, TERM_START, lines, ends_on=TERM_END) for _ in range(count)]


def test_the_walk_of_three_hundred_orders_costs_what_three_cost(team: Actor, customer: Customer) -> None:
    def walk(count: int) -> dict[str, int]:
        pks: list[int] = []

        def draft() -> None:
            pks.extend(order.pk for order in orders.create_drafts(inputs(customer, count), actor=team))

        return {
            "create_drafts": queries(draft),
            "sign_many": queries(lambda: orders.sign_many(pks, actor=team, signed_on=TERM_START)),
            "activate_many": queries(lambda: orders.activate_many(pks, actor=team, as_of=TERM_START)),
            "deliver": queries(lambda: deliver("orders.entitlements")),
            "sync again": queries(lambda: entitlements.sync(pks, actor=team)),
            "blockers": queries(lambda: activation.blockers_of(pks)),
            "values": queries(lambda: value.order_values(pks)),
        }

    few, many = walk(3), walk(300)
    assert many == few
    assert many["create_drafts"] <= 16
    assert many["sign_many"] <= 10
    assert many["activate_many"] <= 20
    assert many["values"] == 4


def test_closing_costs_the_same_for_one_and_for_many(team: Actor, customer: Customer) -> None:
    def close(count: int, day: dt.date) -> int:
        made = orders.create_drafts(inputs(customer, count), actor=team)
        orders.sign_many([o.pk for o in made], actor=team, signed_on=TERM_START)
        orders.activate_many([o.pk for o in made], actor=team, as_of=TERM_START)
        return queries(lambda: orders.close_ended(actor=team, as_of=day))

    assert close(1, TERM_END) == close(50, TERM_END)
    assert Order.objects.filter(state="completed").count() == 51
