"""What holds for every contract, searched for counterexamples."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from billing.domain import specs
from billing.domain.charges import expected
from billing.domain.measures import of_quantity
from billing.domain.proration import share
from billing.domain.settlement import difference, due
from billing.domain.types import (
    Anchor,
    Billed,
    Charge,
    Frequency,
    Kind,
    Line,
    Proration,
    Segment,
    Timeline,
    Timing,
    UsagePoint,
)
from o2c.money import minor_units
from tests.billing.domain.contracts import Books, contract, day, line, per_unit, segment, tiers, usage_line

EPOCH = dt.date(2023, 1, 1)
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD"])
MONEY = st.decimals("0.01", "5000", places=2).map(str)
DATES = st.integers(0, 800).map(lambda days: EPOCH + dt.timedelta(days=days))
FREQUENCIES = st.sampled_from(
    [Frequency.WEEK, Frequency.MONTH, Frequency.QUARTER, Frequency.HALF_YEAR, Frequency.YEAR]
)
CONVENTIONS = st.sampled_from(list(Proration))
GRADUATED = tiers("graduated", ("10", "1.37", "0"), ("100", "0.59", "3"), (None, "0.0401", "0"))


@st.composite
def contracts(draw: st.DrawFn) -> Timeline:
    """One recurring line with up to five segments and at most one gap (a pause), any convention."""
    limits = sorted(draw(st.sets(DATES, min_size=2, max_size=6)))
    segments = []
    for number, (start, end) in enumerate(itertools.pairwise(limits), 1):
        quantity = str(draw(st.integers(0, 40)))
        price = per_unit(draw(MONEY))
        segments.append(segment(number, str(start), str(end), price, quantity=quantity, price_id=number))
    if len(segments) > 2 and draw(st.booleans()):
        del segments[1]
    recurring = line(
        *segments,
        every=draw(FREQUENCIES),
        timing=draw(st.sampled_from(list(Timing))),
        anchor=draw(st.sampled_from(list(Anchor))),
        anchor_on=str(draw(DATES)),
        proration=draw(CONVENTIONS),
    )
    return contract(recurring, currency=draw(CURRENCIES), time_zone=draw(ZONES))


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
FAR = dt.date(2030, 1, 1)


def total(charges: list[Charge]) -> Decimal:
    return sum((charge.amount for charge in charges), Decimal(0))


@given(contracts(), DATES)
def test_a_second_run_is_a_no_op(timeline: Timeline, through: dt.date) -> None:
    books = Books()
    books.run(timeline, str(through))

    assert books.run(timeline, str(through)) == []
    books.run(timeline, str(FAR))
    assert books.run(timeline, str(FAR)) == []
    assert books.run(timeline, str(through)) == []  # nothing is taken back by looking at an earlier date


@given(contracts(), st.lists(DATES, max_size=6))
def test_any_rhythm_of_runs_bills_the_same(timeline: Timeline, dates: list[dt.date]) -> None:
    """Running daily, monthly or once at the end: the sum per key is what is expected."""
    books = Books()
    for through in sorted(dates):
        books.run(timeline, str(through))
    books.run(timeline, str(FAR))

    assert sum((row.amount for row in books.billed), Decimal(0)) == total(expected(timeline, {}, FAR))


@given(contracts(), contracts())
def test_after_any_change_the_books_hold_what_is_expected_now(before: Timeline, after: Timeline) -> None:
    """Whatever was billed before, the difference leads exactly to the new contract; credits never exceed."""
    assume(before.currency == after.currency)
    books = Books()
    books.run(before, str(FAR))
    books.run(after, str(FAR))

    assert sum((row.amount for row in books.billed), Decimal(0)) == total(expected(after, {}, FAR))
    by_key: dict[Any, Decimal] = {}
    for row in books.billed:
        by_key[row.key] = by_key.get(row.key, Decimal(0)) + row.amount
    assert min(by_key.values(), default=Decimal(0)) >= 0


@given(contracts(), DATES)
def test_cutting_a_segment_in_two_changes_nothing(timeline: Timeline, at: dt.date) -> None:
    books = Books()
    books.run(timeline, str(FAR))
    (only,) = timeline.lines
    cut: list[Segment] = []
    for old in only.segments:
        if old.ends_on is not None and old.starts_on < at < old.ends_on:
            cut.append(_segment(old, old.id, old.starts_on, at))
            cut.append(_segment(old, old.id + 100, at, old.ends_on))
        else:
            cut.append(old)
    again = contract(_line(only, tuple(cut)), currency=timeline.currency, time_zone=timeline.time_zone)

    assert books.run(again, str(FAR)) == []


def _segment(old: Segment, id: int, start: dt.date, end: dt.date) -> Segment:
    return Segment(id, start, end, old.quantity, old.price, old.price_ref, old.price_id)


def _line(old: Line, segments: tuple[Segment, ...]) -> Line:
    return Line(
        old.id, old.kind, old.timing, old.frequency, segments, old.anchor, old.anchor_on, old.proration
    )


@given(st.lists(st.tuples(DATES, st.integers(1, 500)), max_size=30), st.randoms())
def test_the_order_of_events_is_irrelevant(events: list[tuple[dt.date, int]], random: Any) -> None:
    metered = usage_line(segment(1, "2023-01-01", None, GRADUATED))
    points = [UsagePoint(on, Decimal(quantity)) for on, quantity in events]
    shuffled = list(points)
    random.shuffle(shuffled)

    assert expected(contract(metered), {1: points}, FAR) == expected(contract(metered), {1: shuffled}, FAR)


@given(st.lists(st.tuples(DATES, st.integers(1, 500)), max_size=20), DATES)
def test_late_events_end_where_early_ones_would(events: list[tuple[dt.date, int]], first: dt.date) -> None:
    """Billed in two goes with half of the events late, the sum is that of all events in time."""
    metered = contract(usage_line(segment(1, "2023-01-01", None, GRADUATED)))
    points = [UsagePoint(on, Decimal(quantity)) for on, quantity in events]
    books = Books()
    books.run(metered, str(first), {1: points[::2]})
    books.run(metered, str(FAR), {1: points})

    assert sum((row.amount for row in books.billed), Decimal(0)) == total(expected(metered, {1: points}, FAR))


@given(CONVENTIONS, FREQUENCIES, DATES, st.lists(st.integers(0, 366), max_size=5), ZONES)
def test_the_shares_of_the_parts_of_a_period_sum_to_one(
    convention: Proration, every: Frequency, start: dt.date, offsets: list[int], zone: str
) -> None:
    from billing.domain.grid import MONTHS, Grid

    grid = Grid(every, start)
    period = (grid.start(0), grid.start(1))
    inside = {period[0] + dt.timedelta(days=n) for n in offsets}
    limits = sorted({*period, *(d for d in inside if d < period[1])})
    parts = [
        share(convention, a, b, period, months=MONTHS.get(every, 0), first_day=start, time_zone=zone)
        for a, b in itertools.pairwise(limits)
    ]

    assert sum(parts) == 1
    assert min(parts) >= 0


@given(st.dates(dt.date(1999, 1, 1), dt.date(2030, 12, 31)), FREQUENCIES, st.integers(-50, 200))
def test_every_day_lies_in_exactly_one_period(anchor: dt.date, every: Frequency, offset: int) -> None:
    from billing.domain.grid import Grid

    grid, asked = Grid(every, anchor), anchor + dt.timedelta(days=offset * 13)
    k = grid.index(asked)

    assert grid.start(k) <= asked < grid.start(k + 1)


@given(contracts())
def test_amounts_are_in_whole_minor_units_and_at_most_half_a_unit_off(timeline: Timeline) -> None:
    digits = minor_units(timeline.currency)
    for charge in expected(timeline, {}, FAR):
        assert -charge.amount.as_tuple().exponent == digits  # type: ignore[operator]
        assert abs(Fraction(charge.amount) - charge.exact) <= Fraction(1, 2 * 10**digits)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=6))
def test_a_correction_table_sums_to_the_rating_of_the_last_quantity(quantities: list[int]) -> None:
    """Bill, meter again, bill again: the lines sum to what the last quantity costs."""
    timeline = contract(usage_line(segment(1, "2025-01-01", "2025-02-01", GRADUATED)))
    books = Books()
    for quantity in quantities:
        books.run(timeline, "2025-02-01", {1: [UsagePoint(day("2025-01-10"), Decimal(quantity))]})

    last = specs.parse(GRADUATED).rate(of_quantity(Fraction(quantities[-1]))).amount
    billed = sum((row.amount for row in books.billed), Decimal(0))
    assert abs(Fraction(billed) - last) <= Fraction(1, 200)


@settings(max_examples=25)
@given(contracts())
def test_undoing_everything_credits_exactly_what_was_billed(timeline: Timeline) -> None:
    books = Books()
    first = books.run(timeline, str(FAR))
    (only,) = timeline.lines
    emptied = tuple(_segment(s, s.id, s.starts_on, s.starts_on) for s in only.segments)
    gone = contract(_line(only, emptied), currency=timeline.currency)

    undone = books.run(gone, str(FAR))

    assert sorted(row.amount for row in first) == sorted(-row.amount for row in undone)


def test_the_difference_of_nothing_is_nothing() -> None:
    assert difference([], []) == []
    assert due(contract(), {}, [], FAR) == []


def test_a_billed_row_of_an_unknown_segment_is_credited_with_its_own_figures() -> None:
    row = Billed(
        7, 1, 99, Kind.RECURRING, day("2025-01-01"), day("2025-02-01"), day("2025-01-01"), day("2025-02-01"),
        Decimal(3), Decimal("30.00"), "USD", due_on=day("2025-01-01"),
    )  # fmt: skip

    (credit,) = difference([], [row])

    assert (credit.amount, credit.quantity, credit.corrects, credit.revision) == (Decimal("-30.00"), 3, 7, 1)
    assert (credit.service_from, credit.service_to) == (day("2025-01-01"), day("2025-02-01"))
