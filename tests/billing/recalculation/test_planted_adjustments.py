"""Overrides and coupons that the engine has otherwise than the database: caught, and the first step named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from billing.domain import specs
from billing.domain.adjustments import Adjustment
from billing.models import BillRunFinding
from billing.selectors import adjustments as agreed
from billing.services import runs
from o2c.errors import Conflict
from orders.models import Customer, Order, OrderLine
from orders.services import adjustments, coupons
from tests.factories.billing import Team, bill
from tests.factories.orders import activated_override, line, make_coupon, make_order, orders_team

AUGUST = dt.date(2026, 8, 1)


@pytest.fixture
def order(team: Team, customer: Customer) -> Order:
    """10 seats at 40.00 a month in advance, of which 10 % are off."""
    order = make_order(team.orders, customer, [line("SEATS", 10)], state="active", terms={"po_number": "PO"})
    said: dict[str, Any] = {"starts_on": AUGUST, "actor": team.orders, "reason": "Agreed by mail"}
    row = adjustments.draft(customer=customer.pk, method="percent_off", value=Decimal(10), **said)
    activated_override(row, orders_team("second-pair-of-eyes"))
    return order


def blocked(team: Team, through: dt.date = dt.date(2026, 8, 2)) -> BillRunFinding:
    run = bill(team, through, upto="calculated")
    found = run.findings.get(code="recalculation")
    with pytest.raises(Conflict, match="second calculator does not agree"):
        runs.release(run.pk, actor=team.approver)
    return found


def test_both_agree(team: Team, order: Order) -> None:
    run = bill(team, dt.date(2026, 8, 2), upto="released")
    assert run.totals["USD"]["expected"] == run.totals["USD"]["recalculated"] == "360.00"


def test_a_percentage_that_is_not_the_agreed_one(
    team: Team, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = agreed._of

    def mutated(row: Mapping[str, Any]) -> Adjustment:
        return replace(honest(row), value=Fraction(15))

    monkeypatch.setattr(agreed, "_of", mutated)
    found = blocked(team)

    assert "drafted 340.000, recalculated 360.00" in found.message
    assert found.working["first"] == "Overrides and coupons"
    assert "15 percent off beside Override" in found.message


def test_an_override_that_is_forgotten(team: Team, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreed, "_holds", lambda *row: False)
    found = blocked(team)

    assert "drafted 400.000, recalculated 360.00" in found.message
    assert "Overrides and coupons, none beside Override" in found.message


def test_a_price_in_place_of_another_that_was_read_wrongly(
    team: Team, customer: Customer, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, Any] = {"starts_on": AUGUST, "actor": team.orders, "reason": "Agreed by mail"}
    price = {"model": "per_unit", "unit_amount": "30.00"}
    row = adjustments.draft(customer=customer.pk, sku="SEATS", method="replace", spec=price, **said)
    activated_override(row, orders_team("second-pair-of-eyes"))
    honest = specs.parse

    def mutated(spec: Any, **more: Any) -> Any:
        wrong = {**spec, "unit_amount": "30.01"} if spec.get("unit_amount") == "30.00" else spec
        return honest(wrong, **more)

    monkeypatch.setattr(specs, "parse", mutated)
    found = blocked(team)

    assert "drafted 270.090, recalculated 270.00" in found.message
    assert found.working["first"] == "Units at unit amounts"


def test_a_coupon_that_holds_too_long(team: Team, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    seats = OrderLine.objects.get(order=order)
    make_coupon("WELCOME", method="percent_off", value=Decimal(50), periods=1)
    coupons.redeem(order.pk, code="WELCOME", line=seats.pk, redeemed_on=AUGUST, actor=team.orders)
    bill(team, dt.date(2026, 8, 2))
    honest = agreed.window

    def mutated(line: Any, redeemed_on: dt.date, periods: int | None) -> Any:
        return honest(line, redeemed_on, None if periods is None else periods + 1)

    monkeypatch.setattr(agreed, "window", mutated)
    found = blocked(team, dt.date(2026, 9, 2))

    assert "drafted 180.000, recalculated 360.00" in found.message
    assert "WELCOME: 50 percent off" in found.message
    assert found.working["first"] == "Overrides and coupons"
