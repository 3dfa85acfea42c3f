"""Overrides and coupons: one order of application, figures by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain import specs, trace
from billing.domain.adjustments import Adjustment, Method
from billing.domain.charges import expected
from billing.domain.types import Charge, Proration, UsagePoint
from o2c.errors import InvalidInput
from tests.billing.domain.contracts import contract, day, flat, line, per_unit, segment, tiers, usage_line


def agreed(method: Method, value: str = "0", start: str = "2026-01-01", **more: Any) -> Adjustment:
    ends_on = more.pop("end", None)
    return Adjustment(
        more.pop("name", method.value),
        method,
        day(start),
        day(ends_on) if ends_on else None,
        Fraction(value),
        **more,
    )


def charged(*adjustments: Adjustment, discount: str = "0", price: Any = None) -> list[str]:
    seats = segment(1, "2026-06-01", None, price or per_unit("10.00"), quantity="20", discount=discount)
    deal = contract(line(seats, adjustments=adjustments))
    return [str(c.amount) for c in expected(deal, {}, day("2026-06-02"))]


def test_each_method_alone() -> None:
    assert charged() == ["200.00"]
    assert charged(agreed(Method.REPLACE, price=specs.parse(per_unit("8.00")))) == ["160.00"]
    assert charged(agreed(Method.MULTIPLY, "1.1")) == ["220.00"]
    assert charged(agreed(Method.PERCENT_OFF, "15")) == ["170.00"]
    assert charged(agreed(Method.AMOUNT_OFF, "30")) == ["170.00"]


def test_the_order_of_application_is_stated_and_not_that_of_the_agreement() -> None:
    # 20 x 8.00 = 160.00; x 1.5 = 240.00; 10 % and 5 % off = 205.20; 50 % of the segment = 102.60; less 2.60
    every = [
        agreed(Method.AMOUNT_OFF, "2.60"),
        agreed(Method.PERCENT_OFF, "5"),
        agreed(Method.MULTIPLY, "1.5"),
        agreed(Method.PERCENT_OFF, "10"),
        agreed(Method.REPLACE, price=specs.parse(per_unit("8.00"))),
    ]
    assert charged(*every, discount="50") == ["100.00"]
    assert charged(*reversed(every), discount="50") == ["100.00"]


def test_an_amount_off_leaves_nothing_and_not_less() -> None:
    assert charged(agreed(Method.AMOUNT_OFF, "500")) == ["0.00"]


def test_a_floor_holds_after_every_discount() -> None:
    floor = {"model": "minimum", "amount": "150", "price": per_unit("10.00")}
    assert charged(agreed(Method.PERCENT_OFF, "50"), price=floor) == ["150.00"]


def test_a_discount_from_the_middle_of_a_period_is_worth_its_days() -> None:
    # 10 of 30 days at 200.00, 20 at 180.00
    assert charged(agreed(Method.PERCENT_OFF, "10", "2026-06-11")) == ["186.67"]


def test_an_amount_off_is_prorated_like_the_price() -> None:
    # 15 of 30 days: 30.00 a period is 15.00
    assert charged(agreed(Method.AMOUNT_OFF, "30", "2026-06-16")) == ["185.00"]


def test_the_narrowest_replacement_wins_and_two_of_a_scope_are_refused() -> None:
    wide = agreed(Method.REPLACE, price=specs.parse(per_unit("9.00")), name="A-1", rank=1)
    narrow = agreed(Method.REPLACE, price=specs.parse(per_unit("7.00")), name="A-2", rank=2)
    assert charged(narrow, wide) == ["140.00"]
    twin = agreed(Method.REPLACE, price=specs.parse(per_unit("6.00")), name="A-3", rank=2)
    with pytest.raises(InvalidInput, match="A-2 and A-3 both replace the price") as refused:
        charged(narrow, wide, twin)
    assert refused.value.record == "order line 1"


MATRIX = {
    "model": "matrix",
    "dimensions": ["model"],
    "cells": [
        {"match": {"model": "large"}, "price": per_unit("0.10")},
        {"match": {"model": "small"}, "price": per_unit("0.01")},
    ],
}


def metered(price: Any, *adjustments: Adjustment) -> list[Charge]:
    deal = contract(usage_line(segment(1, "2026-06-01", None, price), adjustments=adjustments))
    points = [
        UsagePoint(day("2026-06-10"), Decimal(1000), dimensions=(("model", "large"),)),
        UsagePoint(day("2026-06-20"), Decimal(5000), dimensions=(("model", "small"),)),
    ]
    return expected(deal, {1: points}, day("2026-07-01"))


def test_usage_of_one_model_is_discounted() -> None:
    large = (("model", "large"),)
    # 1,000 x 0.10 = 100.00 less 20 %; 5,000 x 0.01 = 50.00
    (charge,) = metered(MATRIX, agreed(Method.PERCENT_OFF, "20", dimensions=large, name="Large 20 %"))
    assert str(charge.amount) == "130.00"
    assert trace.explain(charge)["adjustments"] == ["Large 20 %: 20 percent off"]
    # the large model at 0.05 instead
    special = specs.parse(per_unit("0.05"))
    (charge,) = metered(MATRIX, agreed(Method.REPLACE, price=special, dimensions=large))
    assert str(charge.amount) == "100.00"


def test_a_price_that_does_not_know_the_dimension_is_not_guessed_at() -> None:
    with pytest.raises(InvalidInput, match="does not tell that apart"):
        metered(per_unit("0.01"), agreed(Method.PERCENT_OFF, "20", dimensions=(("model", "large"),)))


def test_the_trace_can_be_computed_again_by_hand() -> None:
    seats = segment(1, "2026-06-01", None, flat("200.00"), discount="10")
    off = agreed(Method.AMOUNT_OFF, "30", name="WELCOME")
    (charge,) = expected(contract(line(seats, adjustments=(off,))), {}, day("2026-06-02"))

    explained = trace.explain(charge)
    assert explained["formula"] == "(200) \N{MULTIPLICATION SIGN} 0.9 - 30 = 150, rounded 150.00"
    assert explained["adjustments"] == ["WELCOME: 30 off a period"]


def test_a_floor_inside_of_a_ramp_holds() -> None:
    ramp = {
        "model": "ramp",
        "steps": [
            {"from_month": "0", "price": {"model": "minimum", "amount": "300", "price": per_unit("10.00")}},
            {"from_month": "12", "price": per_unit("10.00")},
        ],
    }
    assert charged(price=ramp) == ["300.00"]


@given(
    st.permutations(
        [
            agreed(Method.PERCENT_OFF, "7", "2026-06-05"),
            agreed(Method.PERCENT_OFF, "11", "2026-05-01", end="2026-06-20"),
            agreed(Method.MULTIPLY, "0.5", "2026-06-10", end="2026-06-25"),
            agreed(Method.AMOUNT_OFF, "13", "2026-06-02"),
            agreed(Method.REPLACE, start="2026-06-08", price=specs.parse(per_unit("3.33"))),
        ]
    ),
    st.sampled_from(list(Proration)),
    st.integers(0, 40),
)
def test_the_order_of_agreements_is_irrelevant(
    order: list[Adjustment], proration: Proration, quantity: int
) -> None:
    graduated = tiers("graduated", ("10", "1.37", "0"), (None, "0.59", "3"))
    seats = segment(1, "2026-05-20", None, graduated, quantity=str(quantity))

    def amounts(adjustments: list[Adjustment]) -> list[Decimal]:
        deal = contract(line(seats, adjustments=tuple(adjustments), proration=proration))
        return [c.amount for c in expected(deal, {}, dt.date(2026, 9, 1))]

    assert amounts(order) == amounts(sorted(order, key=lambda a: a.starts_on))
    assert min(amounts(order)) >= 0
