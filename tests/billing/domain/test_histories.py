"""Whole histories of contracts, drawn at random: amendments, usage, late usage and runs in any order.

A few hundred of each by default; `O2C_HISTORIES=5000 make pytest ARGS=tests/billing/domain` searches longer.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain import aggregation, proration, specs
from billing.domain.charges import expected
from billing.domain.measures import of_quantity
from billing.domain.types import (
    Aggregation,
    Anchor,
    Billed,
    ChargeLine,
    Frequency,
    Kind,
    Line,
    Proration,
    Segment,
    Timeline,
    Timing,
    UsagePoint,
)
from o2c.money import minor_units, quantize
from tests.billing.domain.contracts import Books, flat, per_unit, tiers

MANY = settings(max_examples=int(os.environ.get("O2C_HISTORIES", "150")), deadline=None)
EPOCH, FAR = dt.date(2023, 1, 1), dt.date(2026, 1, 1)
DATES = st.integers(0, 800).map(lambda days: EPOCH + dt.timedelta(days=days))
MONEY = st.decimals("0.01", "900", places=2).map(str)
PRICES = st.one_of(
    MONEY.map(per_unit),
    MONEY.map(flat),
    st.just(tiers("graduated", ("10", "1.37", "0"), ("30", "0.59", "3"), (None, "0.0401", "0"))),
    st.just(tiers("volume", ("10", "1.37", "0"), (None, "0.4", "2.5"))),
    st.just({"model": "package", "size": "7", "amount": "2.95", "free_units": "3"}),
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Atlantic/Azores", "Asia/Kolkata")


@dataclass(frozen=True)
class Amend:
    """Line `line` is `quantity` at `price` from `on` on; None ends it there."""

    line: int
    on: dt.date
    quantity: int | None
    price: Any


@dataclass(frozen=True)
class Use:
    line: int
    on: dt.date
    quantity: int


@dataclass(frozen=True)
class Run:
    through: dt.date


Happening = Amend | Use | Run


@st.composite
def beginnings(draw: st.DrawFn) -> Timeline:
    """A contract of a recurring and a metered line, with any clauses."""
    common: dict[str, Any] = {
        "anchor": draw(st.sampled_from(list(Anchor))),
        "anchor_on": draw(DATES),
        "proration": draw(st.sampled_from(list(Proration))),
    }
    every = st.sampled_from(
        [Frequency.WEEK, Frequency.MONTH, Frequency.QUARTER, Frequency.HALF_YEAR, Frequency.YEAR]
    )
    lines = [
        Line(
            1,
            Kind.RECURRING,
            draw(st.sampled_from(list(Timing))),
            draw(every),
            (draw(_segments(1)),),
            **common,
        ),
        Line(2, Kind.USAGE, Timing.ARREARS, draw(every), (draw(_segments(2)),), **common),
    ]
    currency = draw(st.sampled_from(["USD", "JPY", "KWD"]))
    return Timeline(1, currency, tuple(lines), draw(st.sampled_from(ZONES)))


@st.composite
def _segments(draw: st.DrawFn, line: int) -> Segment:
    return _segment(line * 1000, draw(DATES), None, draw(st.integers(0, 40)), draw(PRICES))


def _segment(id: int, start: dt.date, end: dt.date | None, quantity: int, price: Any) -> Segment:
    return Segment(id, start, end, Decimal(quantity), specs.parse(price), price_id=hash(repr(price)))


AMENDMENTS = st.builds(Amend, st.integers(1, 2), DATES, st.one_of(st.none(), st.integers(0, 40)), PRICES)
USES = st.builds(Use, st.just(2), DATES, st.integers(1, 30))
RUNS = st.builds(Run, DATES)


def amended(timeline: Timeline, change: Amend, id: int) -> Timeline:
    """The timeline after an amendment: what is after its date is replaced, as the product does it."""
    lines = []
    for line in timeline.lines:
        if line.id != change.line:
            lines.append(line)
            continue
        kept = [
            replace(s, ends_on=min(s.ends_on or change.on, change.on))
            for s in line.segments
            if s.starts_on < change.on
        ]
        gone = [replace(s, ends_on=s.starts_on) for s in line.segments if s.starts_on >= change.on]
        more = (
            [] if change.quantity is None else [_segment(id, change.on, None, change.quantity, change.price)]
        )
        lines.append(replace(line, segments=(*kept, *gone, *more)))
    return replace(timeline, lines=tuple(lines))


class Life:
    """Lives through happenings one after the other, billing with `Books`."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.books = Books()
        self.usage: dict[int, list[UsagePoint]] = {2: []}
        self.last: list[ChargeLine] = []

    def live(self, happenings: list[Happening]) -> Life:
        for n, one in enumerate(happenings):
            if isinstance(one, Amend):
                self.timeline = amended(self.timeline, one, 5000 + n)
            elif isinstance(one, Use):
                self.usage[2].append(UsagePoint(one.on, Decimal(one.quantity)))
            else:
                self.bill(one.through)
        return self

    def bill(self, through: dt.date) -> list[ChargeLine]:
        self.last = self.books.run(self.timeline, str(through), self.usage)
        return self.last

    def by_key(self) -> dict[Any, Decimal]:
        sums: dict[Any, Decimal] = defaultdict(Decimal)
        for row in self.books.billed:
            sums[row.key] += row.amount
        return {key: amount for key, amount in sums.items() if amount}

    def expects(self) -> dict[Any, Decimal]:
        charges = expected(self.timeline, self.usage, FAR)
        return {charge.key: charge.amount for charge in charges if charge.amount}


HAPPENINGS = st.lists(st.one_of(AMENDMENTS, USES, USES, RUNS), max_size=12)


@MANY
@given(beginnings(), HAPPENINGS)
def test_in_the_end_exactly_what_is_expected_is_billed(
    timeline: Timeline, happenings: list[Happening]
) -> None:
    """Whatever was billed on the way, per key and to the minor unit; and a second run is a no-op."""
    life = Life(timeline).live(happenings)
    life.bill(FAR)

    assert life.by_key() == life.expects()
    assert life.bill(FAR) == []
    assert min(life.by_key().values(), default=Decimal(1)) > 0


@MANY
@given(beginnings(), HAPPENINGS, st.randoms(use_true_random=False))
def test_the_order_of_independent_happenings_is_irrelevant(
    timeline: Timeline, happenings: list[Happening], random: Any
) -> None:
    """Usage may arrive and runs may be made at any time: only the amendments keep their order."""
    amendments = [one for one in happenings if isinstance(one, Amend)]
    shuffled = list(happenings)
    random.shuffle(shuffled)
    order = iter(amendments)
    shuffled = [next(order) if isinstance(one, Amend) else one for one in shuffled]
    first = Life(timeline).live(happenings)
    second = Life(timeline).live(shuffled)
    first.bill(FAR)
    second.bill(FAR)

    as_sums = [
        sorted((k[0], k[3], amount) for k, amount in life.by_key().items()) for life in (first, second)
    ]
    assert as_sums[0] == as_sums[1]


@MANY
@given(beginnings(), HAPPENINGS, DATES)
def test_voided_and_billed_again_gives_the_original(
    timeline: Timeline, happenings: list[Happening], through: dt.date
) -> None:
    life = Life(timeline).live(happenings)
    before = list(life.books.billed)
    original = life.bill(through)
    life.books.billed = before

    again = life.bill(through)

    assert [(row.line, row.period_from, row.service_from, row.service_to, row.amount) for row in again] == [
        (row.line, row.period_from, row.service_from, row.service_to, row.amount) for row in original
    ]


@MANY
@given(beginnings(), HAPPENINGS, DATES)
def test_a_preview_is_the_later_invoice(
    timeline: Timeline, happenings: list[Happening], through: dt.date
) -> None:
    """Looking changes nothing: a preview from copies, then the real run, line for line."""
    life = Life(timeline).live(happenings)
    preview = Life(life.timeline)
    preview.usage, preview.books.billed = {2: list(life.usage[2])}, list(life.books.billed)

    assert preview.bill(through) == life.bill(through)


@MANY
@given(beginnings(), st.integers(0, 40), st.integers(0, 40), MONEY)
def test_a_line_split_in_two_costs_the_same(timeline: Timeline, a: int, b: int, amount: str) -> None:
    """Where the price is linear: exactly, before the rounding of each line."""
    line = timeline.lines[0]
    (old,) = line.segments

    def exact(quantity: int) -> Fraction:
        segment = _segment(1, old.starts_on, None, quantity, per_unit(amount))
        alone = replace(timeline, lines=(replace(line, segments=(segment,)),))
        return sum((charge.exact for charge in expected(alone, {}, FAR)), Fraction(0))

    assert exact(a) + exact(b) == exact(a + b)


@MANY
@given(beginnings(), st.lists(DATES, max_size=8), MONEY)
def test_the_segments_of_a_line_sum_to_the_whole(
    timeline: Timeline, cuts: list[dt.date], amount: str
) -> None:
    """Cut anywhere into segments that differ by name only, the parts of a period sum to its price."""
    line = timeline.lines[0]
    start = line.segments[0].starts_on
    limits = [start, *sorted({cut for cut in cuts if cut > start}), None]
    segments = tuple(
        replace(_segment(n, begin, end, 3, per_unit(amount)), price_id=n)
        for n, (begin, end) in enumerate(itertools.pairwise(limits))
        if begin is not None
    )
    parts: dict[dt.date, Fraction] = defaultdict(Fraction)
    for charge in expected(replace(timeline, lines=(replace(line, segments=segments),)), {}, FAR):
        parts[charge.period_from] += charge.exact
    whole: dict[dt.date, Fraction] = defaultdict(Fraction)
    uncut = replace(line, segments=(replace(segments[0], ends_on=None),))
    for charge in expected(replace(timeline, lines=(uncut,)), {}, FAR):
        whole[charge.period_from] += charge.exact

    last_cut = max(cuts, default=EPOCH)
    for period, total in whole.items():
        if line.timing is Timing.ARREARS or period + dt.timedelta(days=367) < FAR or last_cut < period:
            assert parts[period] == total


@MANY
@given(
    st.sampled_from(["USD", "JPY", "KWD"]),
    PRICES,
    st.lists(st.integers(0, 400), min_size=1, max_size=8),
    st.sampled_from(ZONES),
)
def test_every_correction_table_sums_to_the_rating_of_the_last_quantity(
    currency: str, price: Any, quantities: list[int], zone: str
) -> None:
    segment = _segment(1, dt.date(2024, 2, 1), dt.date(2024, 3, 1), 1, price)
    line = Line(1, Kind.USAGE, Timing.ARREARS, Frequency.MONTH, (segment,))
    books = Books()
    for quantity in quantities:
        points = {1: [UsagePoint(dt.date(2024, 2, 29), Decimal(quantity))]}
        books.run(Timeline(1, currency, (line,), zone), "2024-03-01", points)

    last = quantize(specs.parse(price).rate(of_quantity(Fraction(quantities[-1]))).amount, currency)
    assert sum((row.amount for row in books.billed), Decimal(0)) == last
    assert all(-row.amount.as_tuple().exponent == minor_units(currency) for row in books.billed)  # type: ignore[operator]


def clock_changes(zone: str) -> list[dt.date]:
    """The days of 2023 to 2026 that are not 24 hours long."""
    days = [EPOCH + dt.timedelta(days=n) for n in range(4 * 365)]
    return [d for d in days if _length(d, zone) != dt.timedelta(hours=24)]


def _length(day: dt.date, zone: str) -> dt.timedelta:
    return proration.midnight(day + dt.timedelta(days=1), zone) - proration.midnight(day, zone)


@pytest.mark.parametrize(
    ("zone", "changes"),
    [
        ("UTC", 0), ("Asia/Kolkata", 0), ("Europe/Berlin", 8), ("America/New_York", 8),
        ("Australia/Lord_Howe", 8), ("Atlantic/Azores", 8),
    ],
)  # fmt: skip
def test_every_change_of_the_clock_and_every_leap_day(zone: str, changes: int) -> None:
    """By the second, the parts of a month sum to one around each; each instant lies on one calendar day."""
    days = clock_changes(zone)
    assert len(days) == changes

    for day in [*days, dt.date(2024, 2, 29)]:
        low = day.replace(day=1)
        high = (low + dt.timedelta(days=32)).replace(day=1)
        limits = sorted({low, day, day + dt.timedelta(days=1), high})
        shares = [
            proration.share(Proration.SECONDS, a, b, (low, high), time_zone=zone)
            for a, b in itertools.pairwise(limits)
        ]
        assert sum(shares) == 1
        begin, end = proration.midnight(day, zone), proration.midnight(day + dt.timedelta(days=1), zone)
        for at, inside in ((begin, True), (end - dt.timedelta(seconds=1), True), (end, False)):
            assert (at.astimezone(ZoneInfo(zone)).date() == day) is inside


@pytest.mark.parametrize("zone", ZONES)
def test_a_level_weighted_over_a_day_of_any_length_is_the_level(zone: str) -> None:
    for day in [*clock_changes(zone), dt.date(2024, 2, 29)]:
        point = UsagePoint(day - dt.timedelta(days=3), Decimal(7))
        measured = aggregation.measure(
            Aggregation.WEIGHTED, [point], day, day + dt.timedelta(days=1), time_zone=zone
        )
        assert measured[()].quantity == 7


def test_ten_years_of_amendments_are_one_history() -> None:
    """2,000 segments of two days over 132 posted months: a run over what is billed is a no-op."""
    start = dt.date(2015, 1, 1)
    limits = [start + dt.timedelta(days=2 * n) for n in range(2001)]
    segments = tuple(
        replace(_segment(n, a, b, n % 40 + 1, per_unit("40.00")), price_id=n)
        for n, (a, b) in enumerate(itertools.pairwise(limits))
    )
    line = Line(1, Kind.RECURRING, Timing.ARREARS, Frequency.MONTH, segments, anchor=Anchor.CALENDAR)
    timeline = Timeline(1, "USD", (line,))
    end = limits[-1]
    charges = expected(timeline, {}, end + dt.timedelta(days=1))
    billed = [
        Billed(
            n, c.line, c.segment, c.kind, c.period_from, c.period_to, c.service_from, c.service_to,
            Decimal(1), c.amount, "USD", due_on=c.due_on,
        )
        for n, c in enumerate(charges, 1)
    ]  # fmt: skip
    books = Books()
    books.billed = billed

    assert len(charges) >= 2000
    assert len({c.period_from for c in charges}) >= 120
    assert books.run(timeline, str(end + dt.timedelta(days=1))) == []
