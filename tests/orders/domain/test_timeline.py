"""The timeline of a line: what a change closes and opens, and what it never touches."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2c.errors import InvalidInput
from o2c.periods import Period
from orders.domain import grants, timeline
from orders.domain.timeline import Edit, Span

START = dt.date(2026, 8, 1)


def day(offset: int) -> dt.date:
    return START + dt.timedelta(days=offset)


def span(first: int, last: int | None, quantity: int, key: int | None = None) -> Span:
    return Span(day(first), None if last is None else day(last), Decimal(quantity), price=1, key=key)


def to(quantity: int):  # type: ignore[no-untyped-def]
    return lambda s: replace(s, quantity=Decimal(quantity))


def test_a_change_closes_the_segment_and_opens_another() -> None:
    spans = [span(0, 365, 10, key=7)]
    edit = timeline.change(spans, Period(day(92)), to(15))
    assert edit == Edit(closed=((7, day(92)),), opened=(span(92, 365, 15),))


def test_a_change_with_an_end_reopens_what_was_before() -> None:
    edit = timeline.change([span(0, 365, 10, key=7)], Period(day(10), day(20)), to(15))
    assert edit.opened == (span(10, 20, 15), span(20, 365, 10))


def test_a_change_back_in_time_empties_later_segments() -> None:
    spans = [span(0, 100, 10, key=1), span(100, 200, 20, key=2)]
    edit = timeline.change(spans, Period(day(50)), to(12))
    assert edit.closed == ((1, day(50)), (2, day(100)))
    assert timeline.applied(spans, edit) == (span(0, 50, 10, key=1), span(50, 100, 12), span(100, 200, 12))


def test_a_change_to_what_is_there_already_does_nothing() -> None:
    assert not timeline.change([span(0, 365, 10, key=7)], Period(day(5)), to(10))


def test_cutting_ends_every_later_segment() -> None:
    spans = [span(0, 100, 10, key=1), span(100, None, 20, key=2)]
    edit = timeline.cut(spans, day(40))
    assert edit == Edit(closed=((1, day(40)), (2, day(100))))
    assert timeline.applied(spans, edit) == (span(0, 40, 10, key=1),)


def test_extending_continues_the_last_segment() -> None:
    edit = timeline.extend([span(0, 365, 10, key=1)], day(730), to(11))
    assert edit == Edit(opened=(span(365, 730, 11),))


@pytest.mark.parametrize(
    ("spans", "until", "told"),
    [
        ([], day(1), "on no day"),
        ([span(0, None, 1, key=1)], day(1), "without end"),
        ([span(0, 365, 1, key=1)], day(365), "already runs until"),
    ],
)
def test_what_can_not_be_extended(spans: list[Span], until: dt.date, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        timeline.extend(spans, until, to(1))


def test_overlapping_segments_are_no_timeline() -> None:
    with pytest.raises(InvalidInput, match="overlap"):
        timeline.ordered([span(0, 10, 1), span(9, 20, 1)])


@st.composite
def timelines(draw: st.DrawFn) -> list[Span]:
    """One to five neighbouring segments, the last one perhaps without end."""
    lengths = draw(st.lists(st.integers(1, 60), min_size=1, max_size=5))
    spans, first = [], 0
    for key, length in enumerate(lengths, start=1):
        spans.append(span(first, first + length, draw(st.integers(0, 4)), key=key))
        first += length
    if draw(st.booleans()):
        spans[-1] = replace(spans[-1], ends_on=None)
    return spans


def windows() -> st.SearchStrategy[Period]:
    def make(first: int, length: int | None) -> Period:
        return Period(day(first), None if length is None else day(first + length))

    return st.builds(make, st.integers(-20, 320), st.none() | st.integers(1, 200))


def quantities(spans: object) -> dict[int, Decimal]:
    """Quantity by day over the range that the strategies use."""
    found = {}
    for offset in range(-20, 600):
        current = timeline.on(spans, day(offset))  # type: ignore[arg-type]
        if current is not None:
            found[offset] = current.quantity
    return found


@given(timelines(), windows(), st.integers(0, 4))
def test_a_change_reaches_its_window_and_nothing_else(
    spans: list[Span], window: Period, quantity: int
) -> None:
    before = quantities(spans)
    after = quantities(timeline.applied(spans, timeline.change(spans, window, to(quantity))))
    assert after == {d: Decimal(quantity) if window.contains(day(d)) else q for d, q in before.items()}


@given(timelines(), windows(), st.integers(0, 4))
def test_a_change_done_twice_is_done_once(spans: list[Span], window: Period, quantity: int) -> None:
    once = timeline.applied(spans, timeline.change(spans, window, to(quantity)))
    stored = [replace(s, key=position) for position, s in enumerate(once)]
    assert not timeline.change(stored, window, to(quantity))


@given(timelines(), windows(), st.integers(0, 4))
def test_a_change_never_lengthens_a_stored_segment(spans: list[Span], window: Period, quantity: int) -> None:
    ends = {s.key: s.ends_on or dt.date.max for s in spans}
    starts = {s.key: s.starts_on for s in spans}
    for key, end in timeline.change(spans, window, to(quantity)).closed:
        assert starts[key] <= end < ends[key]


@given(timelines(), st.integers(-20, 320))
def test_a_cut_keeps_every_day_before_it_and_none_after(spans: list[Span], at: int) -> None:
    before = quantities(spans)
    after = quantities(timeline.applied(spans, timeline.cut(spans, day(at))))
    assert after == {d: q for d, q in before.items() if d < at}


@given(timelines())
def test_grants_are_the_quantities_of_the_line(spans: list[Span]) -> None:
    found = grants.expected(spans)
    for offset in range(0, 310, 7):
        current = timeline.on(spans, day(offset))
        granted = [g.quantity for g in found if Period(g.starts_on, g.ends_on).contains(day(offset))]
        assert sum(granted) == (current.quantity if current else 0)
        assert len(granted) <= 1


@given(timelines(), timelines())
def test_the_difference_of_grants_leads_from_one_to_the_other(old: list[Span], new: list[Span]) -> None:
    existing = dict(enumerate(grants.expected(old)))
    wanted = grants.expected(new)
    found = grants.difference(wanted, existing, {})
    reached = {key: grant for key, grant in existing.items() if key not in found.revoke}
    reached.update(dict(found.change))
    assert sorted([*reached.values(), *found.create], key=lambda g: g.starts_on) == list(wanted)
    after = dict(enumerate([*reached.values(), *found.create]))
    assert grants.difference(wanted, after, {}) == grants.GrantDifference((), (), ())


def test_a_change_of_price_alone_leaves_the_grant() -> None:
    spans = [span(0, 100, 10, key=1), replace(span(100, 365, 10, key=2), price=9)]
    assert grants.expected(spans) == (grants.Grant(day(0), day(365), Decimal(10)),)


def test_a_grant_that_returns_on_the_same_day_takes_its_row_up_again() -> None:
    wanted = [grants.Grant(day(0), None, Decimal(3))]
    assert grants.difference(wanted, {}, {day(0): 12}) == grants.GrantDifference((), ((12, wanted[0]),), ())


@st.composite
def any_spans(draw: st.DrawFn, keyed: bool) -> tuple[Span, ...]:
    limits = sorted(draw(st.sets(st.integers(0, 60), min_size=2, max_size=5)))
    start = dt.date(2026, 1, 1)
    return tuple(
        Span(
            start + dt.timedelta(days=a),
            start + dt.timedelta(days=b),
            Decimal(draw(st.integers(1, 2))),
            1,
            key=number if keyed else None,
            paused=draw(st.booleans()),
        )
        for number, (a, b) in enumerate(zip(limits, limits[1:], strict=False), 1)
    )


@settings(deadline=None)
@given(any_spans(keyed=True), any_spans(keyed=False))
def test_a_timeline_becomes_any_other(now: tuple[Span, ...], wanted: tuple[Span, ...]) -> None:
    def told(spans: tuple[Span, ...]) -> list[tuple[dt.date, Decimal, bool]]:
        """What the spans say, day by day."""
        return [
            (span.starts_on + dt.timedelta(days=n), span.quantity, span.paused)
            for span in timeline.ordered(spans)
            for n in range((span.ends_on - span.starts_on).days)  # type: ignore[operator]
        ]

    edit = timeline.become(now, wanted)

    assert told(timeline.applied(now, edit)) == told(wanted)
    assert not timeline.become(now, now)
