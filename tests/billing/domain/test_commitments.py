"""Minimum commitments: published figures (known_answers/billing.md, rows C1 to C9), recomputed exactly."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.charges import expected
from billing.domain.commitments import true_up
from billing.domain.types import Commitment, Frequency, Kind, Timeline, Timing, Usage
from o2c.errors import InvalidInput
from tests.billing.domain.contracts import (
    Books,
    calendar_line,
    contract,
    day,
    flat,
    per_unit,
    segment,
    usage_line,
    used,
)


def committed(
    timeline: Timeline, amount: str, per: Frequency | None, starts: str, ends: str | None, factor: str = "1"
) -> Timeline:
    """The contract with a commitment over all its lines, carried by the first."""
    lines = frozenset(line.id for line in timeline.lines)
    carrier = timeline.lines[0].id
    one = Commitment(
        Fraction(amount), per, day(starts), day(ends) if ends else None, lines, carrier, Fraction(factor)
    )
    return replace(timeline, commitments=(*timeline.commitments, one))


def true_ups(timeline: Timeline, through: str, usage: Usage | None = None) -> list[Decimal]:
    return [c.amount for c in expected(timeline, usage or {}, day(through)) if c.kind == "minimum"]


@pytest.mark.parametrize(
    ("name", "every", "starts", "through", "amount"),
    [
        ("C1 5/7 of 9,000", Frequency.WEEK, "2023-02-01", "2023-02-06", "6428.57"),
        ("C2 25/28 of 9,000", Frequency.MONTH, "2023-02-04", "2023-03-01", "8035.71"),
        ("C3 56/90 of 9,000", Frequency.QUARTER, "2023-02-04", "2023-04-01", "5600.00"),
        # Lago rounds both parts and publishes 8,235.61; exact 9,000 x 334/365 is 8,235.62.
        ("C4 334/365 of 9,000", Frequency.YEAR, "2022-02-01", "2023-01-01", "8235.62"),
    ],
)
def test_10000_committed_and_a_fee_of_1000_for_a_stub(
    name: str, every: Frequency, starts: str, through: str, amount: str
) -> None:
    fee = calendar_line(segment(1, starts, None, flat("1000.00")), every=every, timing=Timing.ARREARS)

    assert true_ups(committed(contract(fee), "10000", every, starts, None), through) == [Decimal(amount)]


def test_c6_a_minimum_of_10_on_usage_of_8_for_25_of_28_days() -> None:
    usage = calendar_line(
        segment(1, "2023-02-01", "2023-02-26", per_unit("8.00")), kind=Kind.USAGE, timing=Timing.ARREARS
    )  # fmt: skip
    timeline = committed(contract(usage), "10", Frequency.MONTH, "2023-02-01", "2023-02-26")

    found = expected(timeline, used(("2023-02-10", "1")), day("2023-03-01"))

    assert [c.amount for c in found] == [Decimal("8.00"), Decimal("0.93")]


def test_c7_a_minimum_of_100_on_20_and_50_for_25_of_28_days() -> None:
    """Three filters of one charge, the third without usage."""
    lines = [
        calendar_line(
            segment(n, "2023-02-04", None, per_unit("10.00")), id=n, kind=Kind.USAGE, timing=Timing.ARREARS
        )
        for n in (1, 2, 3)
    ]
    timeline = committed(contract(*lines), "100", Frequency.MONTH, "2023-02-04", None)
    usage = {**used(("2023-02-10", "2"), line=1), **used(("2023-02-10", "5"), line=2)}

    assert true_ups(timeline, "2023-03-01", usage) == [Decimal("19.29")]


def test_c8_a_commitment_of_1000_with_an_overage_factor_of_one_and_a_half() -> None:
    a = usage_line(segment(1, "2026-01-01", None, per_unit("1.00")), id=1)
    b = usage_line(segment(2, "2026-01-01", None, per_unit("2.00")), id=2)
    timeline = committed(contract(a, b), "1000", Frequency.MONTH, "2026-01-01", None, factor="1.5")
    usage = {**used(("2026-01-05", "5000"), line=1), **used(("2026-01-06", "2500"), line=2)}

    found = expected(timeline, usage, day("2026-02-01"))

    assert sum(c.amount for c in found) == Decimal("14500.00")


def test_c9_300_used_of_500_committed() -> None:
    line = usage_line(segment(1, "2026-01-01", None, per_unit("1.00")))
    timeline = committed(contract(line), "500", Frequency.MONTH, "2026-01-01", None)

    assert true_ups(timeline, "2026-02-01", used(("2026-01-05", "300"))) == [Decimal("200.00")]


def test_a_commitment_over_the_term_is_trued_up_once_at_its_end() -> None:
    """12,000.00 a year, 500.00 used in each of twelve months: 6,000.00 in December."""
    line = usage_line(segment(1, "2026-01-01", "2027-01-01", per_unit("1.00")))
    timeline = committed(contract(line), "12000", None, "2026-01-01", "2027-01-01")
    usage = used(*((f"2026-{month:02d}-05", "500") for month in range(1, 13)))

    assert true_ups(timeline, "2026-12-31", usage) == []
    assert true_ups(timeline, "2027-01-01", usage) == [Decimal("6000.00")]


def test_late_usage_takes_the_true_up_back() -> None:
    line = usage_line(segment(1, "2026-01-01", None, per_unit("1.00")))
    timeline = committed(contract(line), "500", Frequency.MONTH, "2026-01-01", "2026-02-01")
    books = Books()

    assert books.amounts(timeline, "2026-02-01", used(("2026-01-05", "300"))) == ["200.00", "300.00"]
    assert books.amounts(timeline, "2026-02-01", used(("2026-01-05", "420"))) == ["-120.00", "120.00"]
    assert books.amounts(timeline, "2026-02-01", used(("2026-01-05", "420"))) == []


def test_two_commitments_do_not_share_a_line() -> None:
    line = usage_line(segment(1, "2026-01-01", None, per_unit("1.00")))
    once = committed(contract(line), "500", Frequency.MONTH, "2026-01-01", None)

    with pytest.raises(InvalidInput, match="Two commitments"):
        expected(committed(once, "700", Frequency.MONTH, "2026-01-01", None), {}, day("2026-02-01"))


@given(st.integers(0, 10**7), st.integers(0, 365), st.integers(0, 10**7))
def test_a_true_up_reaches_the_minimum_and_no_more(committed: int, days: int, thirds: int) -> None:
    amount, share, counted = Fraction(committed, 100), Fraction(days, 365), Fraction(thirds, 3)

    assert counted + true_up(amount, share, counted) == max(counted, amount * share)


@given(st.lists(st.integers(0, 900), min_size=12, max_size=12), st.integers(0, 11))
def test_a_year_of_monthly_minimums_bills_the_larger_of_both_in_every_month(
    used_units: list[int], first: int
) -> None:
    line = usage_line(segment(1, "2026-01-01", "2027-01-01", per_unit("1.00")))
    timeline = committed(contract(line), "500", Frequency.MONTH, "2026-01-01", "2027-01-01")
    usage = used(*((f"2026-{m + 1:02d}-0{1 + first % 9}", str(n)) for m, n in enumerate(used_units)))

    found = expected(timeline, usage, dt.date(2027, 1, 1))

    assert sum(c.amount for c in found) == sum(max(500, n) for n in used_units)
