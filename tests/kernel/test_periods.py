"""Periods are half-open and counted from their anchor."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2c.errors import InvalidInput
from o2c.periods import Period, add_months, anchored_periods, month_named

D = dt.date


def test_an_anchor_on_the_31st_comes_back_to_the_31st() -> None:
    periods = list(anchored_periods(D(2026, 1, 31), 1, until=D(2026, 5, 1)))

    assert [p.start for p in periods] == [
        D(2026, 1, 31), D(2026, 2, 28), D(2026, 3, 31), D(2026, 4, 30)
    ]  # fmt: skip
    assert [p.days for p in periods] == [28, 31, 30, 31]


def test_the_end_is_not_in_the_period() -> None:
    august = month_named("2026-08")

    assert august.contains(D(2026, 8, 31))
    assert not august.contains(D(2026, 9, 1))
    assert august.intersect(Period(D(2026, 9, 1))) is None
    assert august.intersect(Period(D(2026, 8, 31))) == Period(D(2026, 8, 31), D(2026, 9, 1))


def test_a_period_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot end"):
        Period(D(2026, 2, 1), D(2026, 1, 31))


def test_a_month_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'2026-13' is not a month"):
        month_named("2026-13")


@given(anchor=st.dates(D(1990, 1, 1), D(2100, 1, 1)), months=st.sampled_from([1, 3, 6, 12]))
def test_anchored_periods_follow_each_other_without_gap(anchor: dt.date, months: int) -> None:
    periods = list(anchored_periods(anchor, months, until=add_months(anchor, 48)))

    assert periods[0].start == anchor
    for earlier, later in zip(periods, periods[1:], strict=False):
        assert earlier.end == later.start
    assert sum(p.days for p in periods) == (periods[-1].end - anchor).days  # type: ignore[operator]
