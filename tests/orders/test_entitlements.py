"""Entitlements follow active lines: the difference, and nothing the second time."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError

from o2c import outbox
from o2c.actor import Actor
from o2c.invariants.services import check
from orders.models import Customer, Entitlement, Order
from orders.services import amendments, entitlements
from tests.factories.orders import TERM_END, TERM_START, line, make_order

pytestmark = pytest.mark.django_db

D = Decimal
NOVEMBER = dt.date(2026, 11, 1)


def granted(order: Order) -> list[tuple[str, str, str, str, str, int]]:
    rows = Entitlement.objects.filter(line__order=order).order_by("line__position", "starts_on")
    return [
        (e.sku.code, str(e.starts_on), str(e.ends_on), f"{e.quantity.normalize():f}", e.action, e.revision)
        for e in rows.select_related("sku")
    ]


def amend(team: Actor, order: Order, kind: str, asked: dict[str, Any], on: dt.date = NOVEMBER) -> None:
    drafted = amendments.draft(
        order.pk, kind=kind, effective_on=on, changes=asked, actor=team, as_of=on, reason="asked"
    )
    amendments.apply(drafted.pk, actor=team, as_of=on)
    outbox.drain()


def test_activation_grants_what_the_lines_say(team: Actor, customer: Customer) -> None:
    lines = [line("SEATS", 10), line("TOKENS"), line("ONBOARDING")]
    order = make_order(team, customer, lines, state="active")
    assert granted(order) == []
    outbox.drain()
    # onboarding is a service: nothing to switch on
    assert granted(order) == [
        ("SEATS", "2026-08-01", "2027-08-01", "10", "grant", 1),
        ("TOKENS", "2026-08-01", "2027-08-01", "1", "grant", 1),
    ]
    assert entitlements.sync([order.pk], actor=team) == []
    assert Entitlement.history.count() == 2


def test_an_order_that_is_not_active_grants_nothing(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS", 10)], state="signed")
    assert entitlements.sync([order.pk], actor=team) == []


def test_more_seats_shorten_one_grant_and_make_another(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS", 10)], state="active")
    outbox.drain()
    amend(team, order, "quantity", {"lines": [{"line": order.lines.get().pk, "quantity": "15"}]})
    assert granted(order) == [
        ("SEATS", "2026-08-01", "2026-11-01", "10", "grant", 2),
        ("SEATS", "2026-11-01", "2027-08-01", "15", "grant", 1),
    ]


def test_another_price_grants_nothing_new(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS", 10)], state="active")
    outbox.drain()
    amend(team, order, "price", {"lines": [{"line": order.lines.get().pk, "discount_percent": "10"}]})
    assert granted(order) == [("SEATS", "2026-08-01", "2027-08-01", "10", "grant", 1)]


def test_what_was_never_told_is_revoked_on_the_spot_and_the_rest_by_a_call(
    team: Actor,
    customer: Customer,
    writing,  # type: ignore[no-untyped-def]
) -> None:
    order = make_order(team, customer, [line("SEATS", 10), line("PLATFORM")], state="active")
    outbox.drain()
    seats = Entitlement.objects.get(line__order=order, sku__code="SEATS")
    told = Entitlement.objects.filter(pk=seats.pk)
    with writing():
        told.update(state="provisioning", attempts=1)
        told.update(state="provisioned", external_ref="ent_1")
    drafted = amendments.draft(
        order.pk, kind="cancel", effective_on=TERM_START, changes={"mode": "backdated"}, actor=team,
        as_of=NOVEMBER, reason="never used",
    )  # fmt: skip
    amendments.apply(drafted.pk, actor=team, as_of=NOVEMBER)
    outbox.drain()
    rows = Entitlement.objects.filter(line__order=order).order_by("line__position")
    assert [(e.state, e.action, e.revision) for e in rows] == [
        ("pending", "revoke", 2),
        ("revoked", "revoke", 1),
    ]


def test_a_grant_that_comes_back_takes_its_row_up_again(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS", 10)], state="active")
    outbox.drain()
    pk = order.lines.get().pk
    amend(team, order, "quantity", {"lines": [{"line": pk, "quantity": "0"}]}, on=TERM_START)
    assert [(e.state, e.action) for e in Entitlement.objects.all()] == [("revoked", "revoke")]
    amend(team, order, "quantity", {"lines": [{"line": pk, "quantity": "4"}]}, on=TERM_START)
    assert granted(order) == [("SEATS", "2026-08-01", "2027-08-01", "4", "grant", 2)]
    assert Entitlement.objects.get().state == "pending"


def test_renewal_lengthens_the_grant(team: Actor, customer: Customer) -> None:
    order = make_order(team, customer, [line("SEATS", 10)], state="active")
    outbox.drain()
    amend(team, order, "renew", {"term_months": 12})
    assert granted(order) == [("SEATS", "2026-08-01", "2028-08-01", "10", "grant", 2)]


def test_granted_quantity_is_an_invariant(team: Actor, customer: Customer, writing) -> None:  # type: ignore[no-untyped-def]
    order = make_order(team, customer, [line("SEATS", 10)], state="active")
    outbox.drain()
    assert all(outcome.passed for outcome in check(["orders"]))
    with writing():
        Entitlement.objects.filter(line__order=order).update(quantity=9)
    assert [o.invariant.code for o in check(["orders"]) if not o.passed] == [
        "orders.entitlements-follow-lines"
    ]


def test_the_database_holds_one_row_per_line_and_start(team: Actor, customer: Customer, writing) -> None:  # type: ignore[no-untyped-def]
    order = make_order(team, customer, [line("SEATS", 10)], state="active")
    outbox.drain()
    row = Entitlement.objects.get(line__order=order)
    with pytest.raises(DatabaseError, match="declared transition"), writing():
        Entitlement.objects.filter(pk=row.pk).update(state="provisioned", external_ref="x")
    with writing():
        Entitlement.objects.filter(pk=row.pk).update(state="provisioning")
    with pytest.raises(IntegrityError, match="provisioned_ref"), writing():
        Entitlement.objects.filter(pk=row.pk).update(state="provisioned")
    row.pk = None
    with pytest.raises(IntegrityError, match="line_start"), writing():
        row.save(force_insert=True)
    assert row.ends_on == TERM_END
