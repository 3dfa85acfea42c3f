"""Overrides and coupons through the services: agreed, activated by somebody else, billed, corrected."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from billing.models import InvoiceLine
from billing.services import rating
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput, NotAuthorised
from orders.models import Coupon, Customer, Order, OrderLine, PriceAdjustment
from orders.services import adjustments, coupons
from tests.database import immediately
from tests.factories.billing import Team, bill
from tests.factories.orders import activated_override, line, make_coupon, make_order, orders_team


def day(number: int, month: int = 8) -> dt.date:
    return dt.date(2026, month, number)


@pytest.fixture
def other(team: Team) -> Actor:
    return orders_team("second-pair-of-eyes")


@pytest.fixture
def order(team: Team, customer: Customer) -> Order:
    """10 seats at 40.00 and the platform at 500.00 a month in advance from 1 August."""
    return make_order(team.orders, customer, [line("SEATS", 10), line("PLATFORM")], state="active")


def agree(team: Team, checker: Actor, customer: Customer, **said: Any) -> PriceAdjustment:
    row = adjustments.draft(
        customer=customer.pk,
        **{"starts_on": day(1), "actor": team.orders, "reason": "Agreed by mail", **said},
    )
    return activated_override(row, checker)


def billed(team: Team, through: dt.date) -> list[str]:
    run = bill(team, through, issue_on=day(10, 9))
    rows = InvoiceLine.objects.filter(invoice__run=run).order_by("order_line__position", "service_from")
    return [f"{row.net:.2f}" for row in rows]


def seats(order: Order) -> int:
    return OrderLine.objects.get(order=order, sku__code="SEATS").pk


def test_a_discount_on_everything_and_a_price_of_one_order(
    team: Team, other: Actor, customer: Customer, order: Order
) -> None:
    agree(team, other, customer, method="percent_off", value=Decimal(10))
    agree(
        team,
        other,
        customer,
        order=order.pk,
        sku="SEATS",
        method="replace",
        spec={"model": "per_unit", "unit_amount": "30.00"},
    )
    # 10 x 30.00 less 10 %; 500.00 less 10 %
    assert billed(team, day(2)) == ["270.00", "450.00"]


def test_what_is_agreed_later_for_an_earlier_day_is_credited(
    team: Team, other: Actor, customer: Customer, order: Order
) -> None:
    assert billed(team, day(2)) == ["400.00", "500.00"]
    override = agree(team, other, customer, product="AI", method="multiply", value=Decimal("0.5"))
    assert billed(team, day(2)) == ["-200.00", "-250.00"]

    immediately()  # what was agreed was until further notice; the end is another act, of another day
    adjustments.end(override.pk, ends_on=day(1), actor=other, reason="Never agreed")
    assert billed(team, day(2)) == ["200.00", "250.00"]


def test_a_draft_does_nothing_and_its_author_does_not_activate_it(
    team: Team, customer: Customer, order: Order
) -> None:
    said: dict[str, Any] = {"method": "percent_off", "value": Decimal(50), "starts_on": day(1)}
    row = adjustments.draft(customer=customer.pk, actor=team.orders, reason="I want it", **said)
    with pytest.raises(NotAuthorised, match="drafted"):
        adjustments.activate(row.pk, actor=team.orders)
    assert billed(team, day(2)) == ["400.00", "500.00"]


def test_two_prices_of_one_scope_are_refused(team: Team, other: Actor, customer: Customer) -> None:
    make_order(team.orders, customer, [line("SEATS")])
    price = {"model": "per_unit", "unit_amount": "30.00"}
    agree(team, other, customer, sku="SEATS", method="replace", spec=price, ends_on=day(15))
    agree(team, other, customer, sku="SEATS", method="replace", spec=price, starts_on=day(15))
    with pytest.raises(Conflict, match="replaces the same price from 2026-08-15"):
        agree(team, other, customer, sku="SEATS", method="replace", spec=price, starts_on=day(20))


def test_problems_come_at_once_and_by_field(team: Team, customer: Customer, order: Order) -> None:
    with pytest.raises(InvalidInput) as refused:
        adjustments.draft(
            customer=customer.pk,
            sku="SEATS",
            product="AI",
            method="replace",
            value=Decimal(1),
            spec={"model": "graduated", "tiers": []},
            dimensions={"model": "large"},
            starts_on=day(2),
            ends_on=day(1),
            actor=team.orders,
        )
    assert set(refused.value.fields) == {
        "reason",
        "product",
        "ends_on",
        "value",
        "spec.tiers",
        "dimensions",
    }


def test_the_database_holds_what_the_service_says(
    team: Team, other: Actor, customer: Customer, order: Order
) -> None:
    row = agree(team, other, customer, method="percent_off", value=Decimal(10))
    for change in ({"value": Decimal(20)}, {"state": "draft"}, {"starts_on": day(2)}):
        with pytest.raises(DatabaseError), transaction.atomic(), acting(team.orders, reason="attack"):
            PriceAdjustment.objects.filter(pk=row.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic(), acting(team.orders, reason="attack"):
        PriceAdjustment.objects.filter(pk=row.pk).delete()


def coupon(code: str = "WELCOME", **said: Any) -> Coupon:
    said = {"method": "percent_off", "value": Decimal(50), **said}
    return make_coupon(code, **said)


def test_a_coupon_for_two_periods(team: Team, order: Order) -> None:
    coupon(periods=2)
    coupons.redeem(order.pk, code="WELCOME", line=seats(order), redeemed_on=day(1), actor=team.orders)

    assert billed(team, day(2)) == ["200.00", "500.00"]
    assert billed(team, day(2, 9)) == ["200.00", "500.00"]
    assert billed(team, day(2, 10)) == ["400.00", "500.00"]


def test_a_coupon_that_is_redeemed_within_a_period_holds_from_the_next_one(team: Team, order: Order) -> None:
    coupon(periods=1, method="amount_off", value=Decimal("150.00"), currency="USD")
    coupons.redeem(order.pk, code="WELCOME", line=seats(order), redeemed_on=day(5), actor=team.orders)

    assert billed(team, day(2, 10)) == ["400.00", "250.00", "400.00", "500.00", "500.00", "500.00"]


def test_the_limits_of_a_coupon(team: Team, customer: Customer, order: Order) -> None:
    coupon(max_redemptions=1, redeem_until=day(31), sku="SEATS")
    said: dict[str, Any] = {"code": "WELCOME", "actor": team.orders}
    platform = OrderLine.objects.get(order=order, sku__code="PLATFORM").pk
    with pytest.raises(Conflict, match="could be redeemed until 2026-08-31"):
        coupons.redeem(order.pk, line=seats(order), redeemed_on=day(1, 9), **said)
    with pytest.raises(Conflict, match="is not for PLATFORM"):
        coupons.redeem(order.pk, line=platform, redeemed_on=day(1), **said)
    coupons.redeem(order.pk, line=seats(order), redeemed_on=day(1), **said)
    second = make_order(team.orders, customer, [line("SEATS")], state="active")
    with pytest.raises(Conflict, match="was redeemed 1 times, which is its limit"):
        coupons.redeem(second.pk, line=seats(second), redeemed_on=day(1), **said)
    coupons.close(Coupon.objects.get().pk, actor=team.orders)
    with pytest.raises(Conflict, match="is not in force"):
        coupons.redeem(second.pk, line=seats(second), redeemed_on=day(1), **said)


def test_overrides_cost_two_queries_however_many_orders(
    team: Team, other: Actor, customer: Customer, order: Order, django_assert_num_queries: Any
) -> None:
    agree(team, other, customer, method="percent_off", value=Decimal(10))
    orders = [order.pk]
    with django_assert_num_queries(5):
        rating.load_timelines(orders, dt.date.max)
    orders += [make_order(team.orders, customer, [line("SEATS")], state="active").pk for _ in range(3)]
    with django_assert_num_queries(5):
        rating.load_timelines(orders, dt.date.max)
