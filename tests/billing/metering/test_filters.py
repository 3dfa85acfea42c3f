"""Meters that count only events with certain values: what counts is billed, the rest is stored and seen."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, transaction

from billing.services import conservation, rating
from o2c.actor import Actor, acting
from o2c.errors import DomainError, InvalidInput
from orders.models import Customer, Meter, Order, Sku
from orders.services import catalogue
from tests.billing.metering.conftest import event, send
from tests.factories.orders import line, make_order

pytestmark = pytest.mark.django_db
SEPTEMBER = dt.date(2026, 9, 1)


@pytest.fixture
def output_only(team: Actor, customer: Customer) -> Order:
    """Active from 1 August 2026: output tokens at 0.0000025."""
    catalogue.save_meter(
        "output",
        name="Output tokens",
        unit="token",
        event_type="output",
        value_property="tokens",
        dimensions=["kind"],
        filters={"kind": ["output"]},
        actor=team,
    )
    catalogue.set_meter(Sku.objects.get(code="TOKENS").pk, meter="output", actor=team)
    return make_order(team, customer, [line("TOKENS")], state="active")


def test_what_is_not_counted_is_in_no_charge_and_not_lost(team: Actor, output_only: Order) -> None:
    send(
        team,
        event("a", "400000", meter="output", dimensions={"kind": "output"}),
        event("b", "600000", meter="output", dimensions={"kind": "input"}),
        event("c", "100000", meter="output", dimensions={}),
    )

    due = rating.due([output_only.pk], SEPTEMBER)[output_only.pk]
    assert not isinstance(due, DomainError)
    assert [(row.quantity, str(row.amount)) for row in due] == [(400000, "1.00")]

    (balance,) = conservation.of_orders([output_only.pk], SEPTEMBER)
    assert (balance.received, balance.pending, balance.filtered) == (1100000, 400000, 700000)
    assert balance.missing == 0


@pytest.mark.parametrize(
    ("filters", "what"),
    [
        ({"color": ["red"]}, "no dimension of the meter"),
        ({"kind": []}, "at least one value"),
        ({"kind": "output"}, "at least one value"),
        ({"kind": [1]}, "must list texts"),
        (["kind"], "must name values per property"),
    ],
)
def test_a_filter_that_says_nothing_is_refused(
    team: Actor, customer: Customer, filters: object, what: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        catalogue.save_meter(
            "odd", name="Odd", unit="x", event_type="odd", value_property="v", dimensions=["kind"],
            filters=filters, actor=team,
        )  # fmt: skip
    assert what in str(refusal.value.fields)


def test_what_a_meter_counts_never_changes(team: Actor, output_only: Order) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), acting(team, reason="test"):
        Meter.objects.filter(code="output").update(filters={})
