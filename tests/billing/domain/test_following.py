"""Prices by formula of another SKU's, and single transactions wherever they are priced. Figures by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from billing.domain import specs
from billing.domain.charges import expected
from billing.domain.following import Source, resolved
from billing.domain.prices import Followed
from billing.domain.types import Timeline, UsagePoint
from o2c.errors import InvalidInput
from tests.billing.domain.contracts import contract, day, flat, per_unit, segment, usage_line, used

HALF = {"model": "of", "sku": "ONLINE", "factor": "0.5"}


def deal(*online: Any, batch: dict[str, Any] | None = None, **source: Any) -> Timeline:
    lines = [usage_line(segment(9, "2026-06-01", None, batch or HALF), id=2, label="BATCH")]
    if online:
        lines.append(usage_line(*online, id=1, label="ONLINE"))
    return contract(*resolved(lines, {"ONLINE": Source(**source)}))


def charged(timeline: Timeline, usage: Any, through: str = "2026-07-01") -> list[str]:
    return [str(c.amount) for c in expected(timeline, usage, day(through)) if c.line == 2]


def listed(price: dict[str, Any], start: str, end: str | None = None) -> Followed:
    return Followed(day(start), day(end) if end else None, specs.parse(price), dt.date.min)


def test_batch_at_half_the_price_of_online() -> None:
    timeline = deal(segment(1, "2026-06-01", None, per_unit("0.10")))
    assert charged(timeline, used(("2026-06-10", "1000"), line=2)) == ["50.00"]


def test_it_follows_when_the_other_price_changes_within_a_period() -> None:
    timeline = deal(
        segment(1, "2026-06-01", "2026-06-16", per_unit("0.10"), price_id=1),
        segment(2, "2026-06-16", None, per_unit("0.20"), price_id=2),
    )
    # 1,000 x 0.05 and 1,000 x 0.10, on one charge
    assert charged(timeline, used(("2026-06-10", "1000"), ("2026-06-16", "1000"), line=2)) == ["150.00"]


def test_without_a_line_the_list_holds_and_what_is_agreed_holds_before_both() -> None:
    usage = used(("2026-06-10", "1000"), ("2026-06-20", "1000"), line=2)
    at_list = (listed(per_unit("0.10"), "2026-06-01", "2026-06-16"), listed(per_unit("0.30"), "2026-06-16"))
    assert charged(deal(listed=at_list), usage) == ["200.00"]

    agreed = (listed(per_unit("0.02"), "2026-06-16"),)
    assert charged(deal(listed=at_list, agreed=agreed), usage) == ["60.00"]

    sold = segment(1, "2026-06-01", "2026-06-16", per_unit("0.08"))
    assert charged(deal(sold, listed=at_list), usage) == ["190.00"]


def test_tiers_floor_and_cap_are_followed_with_quantities_of_its_own() -> None:
    tiers = {
        "model": "graduated",
        "tiers": [{"up_to": "1000", "unit_amount": "0.10"}, {"up_to": None, "unit_amount": "0.05"}],
    }
    bounded = {
        "model": "minimum",
        "amount": "100",
        "price": {"model": "cap", "amount": "150", "price": tiers},
    }
    timeline = deal(segment(1, "2026-06-01", None, bounded))
    online = {1: [UsagePoint(day("2026-06-10"), Decimal(5000))]}

    # half of 100 at least, half of 100 + 400 x 0.05 = 120, half of 150 at most
    assert charged(timeline, online) == ["50.00"]
    assert charged(timeline, {**online, **used(("2026-06-10", "1400"), line=2)}) == ["60.00"]
    assert charged(timeline, {**online, **used(("2026-06-10", "9000"), line=2)}) == ["75.00"]


def test_a_flat_price_is_followed_by_its_days() -> None:
    timeline = deal(segment(1, "2026-06-01", None, flat("90")))
    assert charged(timeline, {}) == ["45.00"]


def test_a_day_without_a_price_is_an_error_that_names_line_and_day() -> None:
    timeline = deal(segment(1, "2026-06-01", "2026-06-16", per_unit("0.10")))
    with pytest.raises(InvalidInput, match="follows that of ONLINE, which has none on 2026-06-16") as refused:
        expected(timeline, {}, day("2026-07-01"))
    assert (refused.value.code, refused.value.record) == ("missing_rate", "order line 2 (BATCH)")


@pytest.mark.parametrize(
    ("online", "batch", "why"),
    [
        ([{"model": "of", "sku": "BATCH", "factor": "2"}], HALF, "follows another price itself"),
        ([per_unit("1")], {"model": "of", "sku": "BATCH"}, "is its own"),
    ],
)
def test_circles_are_refused(online: list[Any], batch: dict[str, Any], why: str) -> None:
    timeline = deal(*(segment(1, "2026-06-01", None, price) for price in online), batch=batch)
    with pytest.raises(InvalidInput, match=why):
        expected(timeline, {}, day("2026-07-01"))


def test_two_lines_to_follow_are_refused() -> None:
    lines = [
        usage_line(segment(9, "2026-06-01", None, HALF), id=2, label="BATCH"),
        usage_line(segment(1, "2026-06-01", None, per_unit("0.10")), id=1, label="ONLINE"),
        usage_line(segment(3, "2026-06-01", None, per_unit("0.20")), id=3, label="ONLINE"),
    ]
    with pytest.raises(InvalidInput, match="is sold by several lines"):
        expected(contract(*resolved(lines, {})), {}, day("2026-07-01"))


def test_fee_floor_and_ceiling_per_transaction_inside_of_a_matrix() -> None:
    # 2 % + 0.30, at least 1.00, at most 5.00, twice: 10 -> 1.00; 100 -> 2.30; 900 -> 5.00
    card = {"model": "percentage", "percent": "2", "fixed_amount": "0.30", "floor": "1", "ceiling": "5"}
    cells = [
        {"match": {"kind": "card"}, "price": {"model": "multiple", "factor": "2", "price": card}},
        {"match": {"kind": "debit"}, "price": {"model": "percentage", "percent": "1"}},
    ]
    matrix = {"model": "matrix", "dimensions": ["kind"], "cells": cells}
    paid = [
        UsagePoint(day("2026-06-10"), Decimal(value), dimensions=(("kind", kind),))
        for value, kind in (("10", "card"), ("100", "card"), ("900", "card"), ("500", "debit"))
    ]
    timeline = contract(usage_line(segment(1, "2026-06-01", None, matrix)))

    assert [str(c.amount) for c in expected(timeline, {1: paid}, day("2026-07-01"))] == ["21.60"]


def test_twice_a_price_is_twice_its_floor_and_cap() -> None:
    capped = {"model": "cap", "amount": "50", "price": per_unit("1")}
    inner = {"model": "minimum", "amount": "10", "price": capped}
    timeline = contract(
        usage_line(segment(1, "2026-06-01", None, {"model": "multiple", "factor": "2", "price": inner}))
    )
    assert [str(c.amount) for c in expected(timeline, {}, day("2026-07-01"))] == ["20.00"]
    usage = used(("2026-06-10", "80"))
    assert [str(c.amount) for c in expected(timeline, usage, day("2026-07-01"))] == ["100.00"]
