"""Clauses of a contract: which day counts, who takes the remainder, schedules. Figures computed by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain import trace
from billing.domain.charges import expected
from billing.domain.proration import share
from billing.domain.types import (
    Anchor,
    CountedDay,
    Frequency,
    Instalment,
    Kind,
    Proration,
    Remainder,
    Timing,
)
from o2c.money import quantize
from tests.billing.domain.contracts import Books, calendar_line, contract, day, flat, line, per_unit, segment


def test_f5_where_the_last_day_counts_a_start_on_the_8th_pays_20_of_28_days() -> None:
    seat = segment(1, "2025-02-08", None, flat("100.00"))
    one = calendar_line(seat, counted_day=CountedDay.LAST)

    assert [str(c.amount) for c in expected(contract(one), {}, day("2025-03-01"))] == ["71.43"]


def test_f6_where_the_last_day_counts_an_end_on_the_21st_leaves_7_of_28_days() -> None:
    books = Books()
    before = calendar_line(segment(1, "2025-02-01", None, flat("100.00")), counted_day=CountedDay.LAST)
    ended = calendar_line(segment(1, "2025-02-01", "2025-02-21", flat("100.00")), counted_day=CountedDay.LAST)
    books.run(contract(before), "2025-02-02")

    assert books.amounts(contract(ended), "2025-03-01") == ["-25.00"]


def test_the_trace_says_which_day_counts() -> None:
    one = calendar_line(segment(1, "2025-02-08", None, flat("100.00")), counted_day=CountedDay.LAST)
    (charge,) = expected(contract(one), {}, day("2025-03-01"))

    assert trace.explain(charge)["proration"] == {
        "convention": "actual_days",
        "days": "20/28 days, the last one counted",
    }


@given(
    st.sampled_from(list(Proration)),
    st.sampled_from(list(CountedDay)),
    st.dates(dt.date(2023, 1, 1), dt.date(2026, 1, 1)),
    st.lists(st.integers(1, 400), max_size=4),
    st.integers(2, 400),
    st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe"]),
)
def test_whichever_day_counts_the_parts_of_a_period_make_the_whole(
    convention: Proration, counted: CountedDay, start: dt.date, cuts: list[int], days: int, zone: str
) -> None:
    period = (start, start + dt.timedelta(days=days))
    limits = sorted({start, period[1], *(start + dt.timedelta(days=n) for n in cuts if n < days)})
    parts = [
        share(convention, a, b, period, first_day=start, time_zone=zone, counted=counted)
        for a, b in zip(limits, limits[1:], strict=False)
    ]

    assert sum(parts, Fraction(0)) == 1
    assert min(parts) >= 0


@pytest.mark.parametrize(
    ("taker", "first", "last"),
    [(Remainder.EACH, "8.33", "8.33"), (Remainder.FIRST, "8.37", "8.33"), (Remainder.LAST, "8.33", "8.37")],
)
def test_a_hundred_a_year_in_twelve_months(taker: Remainder, first: str, last: str) -> None:
    # 100.00 / 12 = 8.333…; 12 x 8.33 = 99.96 leaves 0.04
    fee = segment(1, "2026-01-01", None, flat("100.00"), period=Frequency.YEAR)
    charges = expected(
        contract(line(fee, remainder=taker, proration=Proration.WHOLE_MONTHS)), {}, day("2027-01-01")
    )

    assert [str(c.amount) for c in charges] == [first, *["8.33"] * 10, last]


def test_the_remainder_is_in_the_trace() -> None:
    fee = segment(1, "2026-01-01", None, flat("100.00"), period=Frequency.YEAR)
    charges = expected(
        contract(line(fee, remainder=Remainder.LAST, proration=Proration.WHOLE_MONTHS)), {}, day("2027-01-01")
    )

    assert trace.explain(charges[-1])["formula"] == (
        "100 \N{MULTIPLICATION SIGN} 1/12 = 25/3, rounded 8.33, "
        "with the remainder of its price period 0.04: 8.37"
    )


def test_the_remainder_of_a_period_cut_in_three_prices() -> None:
    # 10 of 30 days each at 100.00: 33.33 three times, and 100.00 in all
    parts = [
        segment(n, start, end, flat("100.00"), price_id=n)
        for n, (start, end) in enumerate(
            [("2026-06-01", "2026-06-11"), ("2026-06-11", "2026-06-21"), ("2026-06-21", "2026-07-01")], 1
        )
    ]
    charges = expected(contract(line(*parts, remainder=Remainder.LAST)), {}, day("2026-07-01"))

    assert [str(c.amount) for c in charges] == ["33.33", "33.33", "33.34"]


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([Remainder.FIRST, Remainder.LAST]),
    st.decimals("0.01", "900", places=2),
    st.lists(st.tuples(st.integers(1, 700), st.integers(0, 9)), max_size=4),
    st.lists(st.integers(1, 900), max_size=5),
    st.sampled_from(["USD", "JPY", "KWD"]),
    st.sampled_from(list(Anchor)),
)
def test_the_charges_of_a_price_period_sum_to_its_rounded_total_in_any_rhythm(
    taker: Remainder,
    price: Decimal,
    changes: list[tuple[int, int]],
    runs: list[int],
    currency: str,
    anchor: Anchor,
) -> None:
    start = day("2024-01-31")
    limits = [start, *sorted({start + dt.timedelta(days=n) for n, _ in changes}), day("2027-01-31")]
    segments = [
        segment(
            n,
            str(a),
            str(b),
            per_unit(str(price)),
            quantity=str(changes[n % len(changes)][1] if changes else 3),
            period=Frequency.YEAR,
            price_id=n,
        )
        for n, (a, b) in enumerate(zip(limits, limits[1:], strict=False), 1)
    ]
    whole = contract(line(*segments, anchor=anchor, anchor_on=str(start), remainder=taker), currency=currency)
    books = Books()
    for offset in sorted(runs):
        books.run(whole, str(start + dt.timedelta(days=offset)))
    books.run(whole, "2028-01-01")

    charges = expected(whole, {}, day("2028-01-01"))
    assert sum(r.amount for r in books.billed) == sum(c.amount for c in charges)
    if anchor is Anchor.ANNIVERSARY:
        for year in (2024, 2025, 2026):
            own = [c for c in charges if day(f"{year}-01-31") <= c.service_from < day(f"{year + 1}-01-31")]
            assert sum(c.amount for c in own) == quantize(sum((c.exact for c in own), Fraction(0)), currency)


def scheduled(*instalments: tuple[str, str, str], end: str | None = "2027-01-01", **more: object) -> object:
    return line(
        segment(1, "2026-01-01", end, flat("100000.00")),
        kind=Kind.ONE_TIME,
        every=Frequency.CUSTOM,
        instalments=tuple(Instalment(name, Decimal(amount), day(on)) for name, amount, on in instalments),
        **more,  # type: ignore[arg-type]
    )


SIGNED, BUILT, ACCEPTED = (
    ("On signature", "40000.00", "2026-01-15"),
    ("Built", "35000.00", "2026-06-30"),
    ("Acceptance", "25000.00", "2026-06-30"),
)


def test_a_schedule_bills_on_its_dates_and_two_of_a_day_together() -> None:
    books = Books()
    deal = contract(scheduled(SIGNED, BUILT, ACCEPTED))  # type: ignore[arg-type]

    assert books.amounts(deal, "2026-01-15") == []
    assert books.amounts(deal, "2026-01-16") == ["40000.00"]
    assert books.amounts(deal, "2026-07-01") == ["60000.00"]
    assert books.amounts(deal, "2027-07-01") == []


def test_a_milestone_that_is_reached_later_bills_the_difference_of_its_day() -> None:
    books = Books()
    books.run(contract(scheduled(SIGNED, BUILT)), "2026-08-01")  # type: ignore[arg-type]

    assert books.amounts(contract(scheduled(SIGNED, BUILT, ACCEPTED)), "2026-08-01") == ["25000.00"]  # type: ignore[arg-type]
    assert books.amounts(contract(scheduled(SIGNED, BUILT)), "2026-08-01") == ["-25000.00"]  # type: ignore[arg-type]


def test_a_cancelled_line_takes_back_the_instalments_of_later_days() -> None:
    books = Books()
    books.run(contract(scheduled(SIGNED, BUILT)), "2026-08-01")  # type: ignore[arg-type]

    assert books.amounts(contract(scheduled(SIGNED, BUILT, end="2026-06-30")), "2026-08-01") == ["-35000.00"]  # type: ignore[arg-type]


def test_a_line_without_milestones_reached_bills_nothing() -> None:
    assert expected(contract(scheduled()), {}, day("2030-01-01")) == []  # type: ignore[arg-type]


def test_advance_and_arrears_on_one_contract() -> None:
    seats = segment(1, "2026-01-01", None, per_unit("10.00"), quantity="3")
    support = segment(2, "2026-01-01", None, flat("90.00"))
    deal = contract(line(seats, id=1), line(support, id=2, timing=Timing.ARREARS))
    books = Books()

    assert books.amounts(deal, "2026-01-02") == ["30.00"]
    assert books.amounts(deal, "2026-02-01") == ["90.00"]
    assert books.amounts(deal, "2026-02-02") == ["30.00"]
