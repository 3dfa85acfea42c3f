"""Two calculators that share nothing agree to the last minor unit, on contracts that nobody thought of."""

from __future__ import annotations

import datetime as dt
import os
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from o2c.actor import acting
from orders.models import Customer, OrderLine
from tests.billing.recalculation import histories
from tests.billing.recalculation.histories import bill, contracts, dates, engine_due, lines, sql_due, store
from tests.factories.billing import Team

# Six contracts to a history; docs/billing.md.
HISTORIES = int(os.environ.get("O2C_HISTORIES", "6"))
ALL_OF_IT = settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


class _Undo(Exception):
    """Not an error: every history leaves an empty database to the next one."""


@pytest.fixture
def world(team: Team, customer: Customer) -> histories.World:
    with acting(team.orders, reason="test"):
        return histories.make_world(customer)


def agree(orders: list[int], through: dt.date) -> list[Any]:
    engine, rows, refused = engine_due(orders, through)
    second, odd = sql_due([pk for pk in orders if pk not in refused], through, everything=True)
    assert second == engine
    assert odd == []
    return rows


@ALL_OF_IT
@given(
    st.lists(contracts(), min_size=1, max_size=6),
    st.lists(lines().filter(lambda line: line["kind"] == "usage"), max_size=2),
    dates,
    st.integers(2, 20),
)
def test_the_second_calculator_agrees_with_the_engine(
    team: Team,
    world: histories.World,
    drawn: list[Any],
    late: list[Any],
    first: dt.date,
    otherwise: int,
) -> None:
    """Fresh; after something else was billed than would be now; with late usage; and at the end."""
    try:
        with transaction.atomic(), acting(team.orders, reason="test"):
            orders = store(world, drawn)
            bill(agree(orders, first), otherwise=otherwise)
            agree(orders, first)

            usage = list(OrderLine.objects.filter(sku__kind="usage", order__in=orders).order_by("pk"))
            for line, more in zip(usage, late, strict=False):
                histories.add_events(world, line.pk, more["events"])
            histories.refresh()
            bill(agree(orders, first))
            assert agree(orders, first) == []
            agree(orders, dt.date(2025, 6, 1))
            raise _Undo
    except _Undo:
        pass
