"""The timeline of an order line: half-open spans that never overlap, and the ways in which they change.

A change never edits a span. It closes spans (cuts them short, possibly to nothing) and opens others; an
`Edit` says which. Days outside the window of the change keep their span.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

from o2c.errors import InvalidInput
from o2c.periods import Period


@dataclass(frozen=True, slots=True)
class Span:
    """What a line is on [starts_on, ends_on): a quantity at a price, perhaps overridden, perhaps discounted.

    `key` is the primary key of the stored segment, None for one that is still to be written; it is not part
    of what the span says. `price` is the primary key of the price version. A `paused` span keeps quantity and
    price for when it is resumed; until then nothing is served or charged.
    """

    starts_on: dt.date
    ends_on: dt.date | None
    quantity: Decimal
    price: int
    price_override: Mapping[str, Any] | None = None
    discount_percent: Decimal = Decimal(0)
    key: int | None = None
    paused: bool = False

    @property
    def days(self) -> Period:
        return Period(self.starts_on, self.ends_on)

    def says_the_same(self, other: Span) -> bool:
        """Equal but for the dates and the stored row."""
        return replace(self, starts_on=other.starts_on, ends_on=other.ends_on, key=other.key) == other


@dataclass(frozen=True, slots=True)
class Edit:
    """What a change does to the stored segments of one line: `closed` (key, new end) and `opened` spans."""

    closed: tuple[tuple[int, dt.date], ...] = ()
    opened: tuple[Span, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.closed or self.opened)


def ordered(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans by date, empty ones left out. Raises InvalidInput when two of them share a day."""
    found = tuple(sorted((s for s in spans if not s.days.is_empty), key=lambda s: s.starts_on))
    for left, right in pairwise(found):
        if left.ends_on is None or left.ends_on > right.starts_on:
            raise InvalidInput(f"Segments overlap: {left.days} and {right.days}")
    return found


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans in order, with neighbours that say the same as one."""
    found: list[Span] = []
    for span in ordered(spans):
        last = found[-1] if found else None
        if last is not None and last.ends_on == span.starts_on and last.says_the_same(span):
            found[-1] = replace(last, ends_on=span.ends_on)
        else:
            found.append(span)
    return tuple(found)


def end_of(spans: Sequence[Span]) -> dt.date | None:
    """Where the timeline ends; None when its last span is open."""
    return spans[-1].ends_on if spans else None


def on(spans: Iterable[Span], day: dt.date) -> Span | None:
    """The span in force on a day."""
    return next((span for span in spans if span.days.contains(day)), None)


def change(spans: Sequence[Span], window: Period, become: Callable[[Span], Span]) -> Edit:
    """Let `become` say what each span turns into on the days of `window`.

    A span that would say the same as before is left alone, so that doing a change twice does nothing. A span
    that reaches beyond the window is reopened unchanged after it.
    """
    closed: list[tuple[int, dt.date]] = []
    opened: list[Span] = []
    for span in ordered(spans):
        part = span.days.intersect(window)
        if part is None:
            continue
        wanted = become(span)
        if wanted.says_the_same(span):
            continue
        closed.append((_key(span), part.start))
        opened.append(replace(wanted, starts_on=part.start, ends_on=part.end, key=None))
        if part.end is not None and part.end != span.ends_on:
            opened.append(replace(span, starts_on=part.end, key=None))
    return Edit(tuple(closed), tuple(opened))


def cut(spans: Sequence[Span], at: dt.date) -> Edit:
    """End the timeline on `at`, the first day that is no longer served."""
    reaching = [span for span in ordered(spans) if span.ends_on is None or span.ends_on > at]
    return Edit(closed=tuple((_key(span), max(span.starts_on, at)) for span in reaching))


def extend(spans: Sequence[Span], until: dt.date, become: Callable[[Span], Span]) -> Edit:
    """Continue the timeline from its end up to `until`, with what `become` makes of its last span."""
    found = ordered(spans)
    if not found:
        raise InvalidInput("A line that is on no day can't be extended")
    last = found[-1]
    if last.ends_on is None:
        raise InvalidInput("A line without end can't be extended")
    if until <= last.ends_on:
        raise InvalidInput(f"The line already runs until {last.ends_on}; it can't be extended until {until}")
    return Edit(opened=(replace(become(last), starts_on=last.ends_on, ends_on=until, key=None),))


def become(spans: Sequence[Span], wanted: Sequence[Span]) -> Edit:
    """Make the timeline say what `wanted` says, from the first day on which the two differ."""
    now, then = ordered(spans), ordered(wanted)
    same = 0
    while same < min(len(now), len(then)) and _equal(now[same], then[same]):
        same += 1
    left, right = now[same:], then[same:]
    if not left and not right:
        return Edit()
    begins = [side[0].starts_on for side in (left, right) if side]
    day = min(begins)
    if left and right and left[0].starts_on == right[0].starts_on and left[0].says_the_same(right[0]):
        day = min(end for end in (left[0].ends_on, right[0].ends_on) if end is not None)
    reaching = [span for span in left if span.ends_on is None or span.ends_on > day]
    return Edit(
        closed=tuple((_key(span), max(span.starts_on, day)) for span in reaching),
        opened=tuple(
            replace(span, starts_on=max(span.starts_on, day), key=None)
            for span in right
            if span.ends_on is None or span.ends_on > day
        ),
    )


def _equal(a: Span, b: Span) -> bool:
    return a.days == b.days and a.says_the_same(b)


def applied(spans: Sequence[Span], edit: Edit) -> tuple[Span, ...]:
    """The timeline after the edit. Raises InvalidInput when that would not be a timeline."""
    ends = dict(edit.closed)
    kept = [replace(span, ends_on=ends[span.key]) if span.key in ends else span for span in spans]
    return ordered([*kept, *edit.opened])


def _key(span: Span) -> int:
    if span.key is None:
        raise InvalidInput(f"The segment {span.days} is not stored yet and can't be closed")
    return span.key
