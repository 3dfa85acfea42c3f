"""Orders from draft to active, and what keeps them from getting there."""

from __future__ import annotations

import pytest

from o2c.actor import Actor
from orders.models import Customer
from tests.factories.orders import line, make_order

pytestmark = pytest.mark.django_db


def test_order_is_drafted_signed_and_activated(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS", 10), line("TOKENS")], state="active")
    order.refresh_from_db()
    assert order.state == "active"
    assert order.number == f"O-{order.pk:06d}"
    assert [(x.sku.code, x.timing) for x in order.lines.all()] == [
        ("SEATS", "advance"),
        ("TOKENS", "arrears"),
    ]
