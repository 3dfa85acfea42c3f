"""What contracts are worth, with figures that can be checked by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2c.errors import InvalidInput
from o2c.periods import Period, add_months
from orders.domain import valuation
from orders.domain.timeline import Span
from orders.domain.valuation import Clauses, Priced

D = Decimal
GRADUATED: dict[str, Any] = {
    "model": "graduated",
    "tiers": [
        {"up_to": "10", "unit_amount": "5", "flat_amount": "1"},
        {"up_to": "20", "unit_amount": "4", "flat_amount": "2"},
        {"up_to": None, "unit_amount": "3"},
    ],
}


@pytest.mark.parametrize(
    ("spec", "quantity", "amount"),
    [
        ({"model": "flat", "amount": "500"}, "7", "500"),
        ({"model": "per_unit", "unit_amount": "0.0000025"}, "1000000", "2.5"),
        (GRADUATED, "0", "0"),
        (GRADUATED, "10", "51"),
        (GRADUATED, "11", "57"),
        (GRADUATED, "25", "108"),
        ({**GRADUATED, "model": "volume"}, "10", "51"),
        ({**GRADUATED, "model": "volume"}, "11", "46"),
        ({**GRADUATED, "model": "volume"}, "0", "0"),
        ({"model": "package", "size": "100", "amount": "2.95", "free_units": "50"}, "150", "2.95"),
        ({"model": "package", "size": "100", "amount": "2.95", "free_units": "50"}, "151", "5.90"),
        ({"model": "package", "size": "100", "amount": "2.95", "free_units": "50"}, "50", "0"),
        (
            {"model": "minimum", "amount": "100", "price": {"model": "per_unit", "unit_amount": "3"}},
            "7",
            "100",
        ),
        ({"model": "cap", "amount": "20", "price": {"model": "per_unit", "unit_amount": "3"}}, "7", "20"),
        ({"model": "overage", "included": "5", "price": {"model": "per_unit", "unit_amount": "3"}}, "7", "6"),
        (
            {"model": "multiple", "factor": "0.5", "price": {"model": "per_unit", "unit_amount": "3"}},
            "7",
            "10.5",
        ),
    ],
)
def test_amount_of_a_period(spec: dict[str, Any], quantity: str, amount: str) -> None:
    assert valuation.amount(spec, D(quantity)) == Fraction(amount)


def test_a_ramp_follows_the_months_of_the_line() -> None:
    spec = {
        "model": "ramp",
        "steps": [
            {"from_month": "0", "price": {"model": "flat", "amount": "100"}},
            {"from_month": "6", "price": {"model": "flat", "amount": "200"}},
        ],
    }
    assert [valuation.amount(spec, D(1), month) for month in (0, 5, 6, 30)] == [100, 100, 200, 200]


def test_a_matrix_has_no_value_without_usage() -> None:
    with pytest.raises(InvalidInput, match="without metered usage"):
        valuation.amount({"model": "matrix"}, D(1))


def value(first: str, last: str | None, spec: dict[str, Any], period: str = "month", **more: Any) -> D:
    start = dt.date.fromisoformat(first)
    span = Span(start, dt.date.fromisoformat(last) if last else None, D(more.pop("quantity", 10)), price=1)
    clauses = Clauses(
        **{
            "kind": "recurring",
            "starts_on": start,
            "first_day": start,
            "until": dt.date(2027, 8, 1),
            **more,
        }
    )
    return valuation.line_value([Priced(span, spec, period)], clauses, "USD")


SEAT = {"model": "per_unit", "unit_amount": "40.00"}


def test_a_year_of_seats() -> None:
    # 12 months x 10 seats x 40.00
    assert value("2026-08-01", "2027-08-01", SEAT) == D("4800.00")


def test_part_of_a_month_counts_by_days() -> None:
    # 10 of the 31 days of August: 400.00 x 10 / 31 = 129.0322...
    assert value("2026-08-01", "2026-08-11", SEAT) == D("129.03")


def test_a_yearly_price_for_a_quarter() -> None:
    # 92 of 365 days of 600.00
    spec = {"model": "flat", "amount": "600.00"}
    assert value("2026-08-01", "2026-11-01", spec, "year") == D("151.23")


def test_calendar_months_prorate_both_ends() -> None:
    # 17/31 of August, whole September, 14/30 of ... until 15 October: 14/31
    spec = {"model": "flat", "amount": "310.00"}
    assert value("2026-08-15", "2026-10-15", spec, anchor="calendar") == D("620.00")


def test_one_time_is_charged_once_and_usage_is_no_commitment() -> None:
    assert value("2026-08-01", "2027-08-01", {"model": "flat", "amount": "2500"}, kind="one_time") == D(
        "2500.00"
    )
    assert value("2026-08-01", "2027-08-01", SEAT, kind="usage") == D("0")


def test_what_is_without_end_counts_to_the_horizon() -> None:
    assert value("2026-08-01", None, SEAT, until=dt.date(2026, 11, 1)) == D("1200.00")


@pytest.mark.parametrize(
    ("proration", "first_half", "second_half"),
    [
        ("actual_days", Fraction(15, 31), Fraction(16, 31)),
        ("fixed_30", Fraction(1, 2), Fraction(1, 2)),
        ("thirty_360", Fraction(1, 2), Fraction(1, 2)),
        ("whole_months", Fraction(1), Fraction(0)),
        ("none", Fraction(1), Fraction(0)),
    ],
)
def test_conventions(proration: str, first_half: Fraction, second_half: Fraction) -> None:
    august = Period(dt.date(2026, 8, 1), dt.date(2026, 9, 1))
    middle = dt.date(2026, 8, 16)
    shares = [
        valuation.share(part, august, proration, dt.date(2026, 8, 1))
        for part in (Period(august.start, middle), Period(middle, august.end))
    ]
    assert shares == [first_half, second_half]


@given(
    st.sampled_from(["actual_days", "fixed_30", "thirty_360", "whole_months", "none"]),
    st.dates(dt.date(2024, 1, 1), dt.date(2028, 12, 31)),
    st.sampled_from([1, 3, 6, 12]),
    st.lists(st.integers(1, 360), max_size=4),
    st.integers(0, 40),
)
def test_the_parts_of_a_period_make_the_period(
    proration: str, start: dt.date, months: int, cuts: list[int], late: int
) -> None:
    end = add_months(start, months)
    first_day = min(start + dt.timedelta(days=late), end - dt.timedelta(days=1))
    edges = sorted(
        {first_day, end, *(d for c in cuts if first_day < (d := start + dt.timedelta(days=c)) < end)}
    )
    whole = Period(start, end)
    parts = [Period(a, b) for a, b in pairwise(edges)]
    total = sum((valuation.share(part, whole, proration, first_day) for part in parts), Fraction(0))
    assert total == valuation.share(Period(first_day, end), whole, proration, first_day)


def test_anchor_of_calendar_periods() -> None:
    day = dt.date(2026, 8, 15)  # a Saturday

    def begins(unit: str, anchor: str, anchor_on: dt.date | None = None) -> dt.date:
        until = day + dt.timedelta(days=1)
        return next(valuation.periods_of(unit, day, anchor, anchor_on, since=day, until=until)).start

    assert begins("quarter", "calendar") == dt.date(2026, 7, 1)
    assert begins("year", "calendar") == dt.date(2026, 1, 1)
    assert begins("year", "anniversary") == day
    assert begins("month", "calendar", dt.date(2026, 1, 20)) == dt.date(2026, 7, 20)
    assert begins("month", "anniversary", dt.date(2027, 1, 31)) == dt.date(2026, 7, 31)
    assert begins("week", "calendar") == dt.date(2026, 8, 10)


def test_months_are_counted_from_the_anchor() -> None:
    assert valuation.months_between(dt.date(2026, 1, 31), dt.date(2026, 2, 27)) == 0
    assert valuation.months_between(dt.date(2026, 1, 31), dt.date(2026, 2, 28)) == 1
    assert valuation.months_between(dt.date(2026, 1, 31), dt.date(2026, 3, 30)) == 1
