"""Amendments that move a whole line: pause and resume, another plan, another customer, and back again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from o2c.errors import Conflict, InvalidInput
from o2c.periods import Period
from orders.domain import timeline, valuation
from orders.domain.changes import Pause, PlanChange, Resumption, Transfer
from orders.domain.facts import Effect, LineFacts, OrderFacts, edited, line_of, spec_of, window_of
from orders.domain.timeline import Edit, Span


def paused(change: Pause, at: dt.date, order: OrderFacts) -> Effect:
    """Serve and charge nothing from `at`, up to `until` or until somebody resumes it."""
    lines = [line_of(order, key) for key in change.lines] or [
        line for line in order.lines if line.kind not in valuation.CHARGED_ONCE and not line.schedule
    ]
    edits = []
    for line in lines:
        window = window_of(line, at, change.until, order)
        assert line.key is not None
        edits.append((line.key, timeline.change(line.spans, window, _pause)))
    return edited(order, edits)


def resumed(change: Resumption, at: dt.date, order: OrderFacts) -> Effect:
    """Serve and charge again from `at` on, what was paused at the quantity and price that it had."""
    lines = [line_of(order, key) for key in change.lines] or list(order.lines)
    edits = [
        (line.key, timeline.change(line.spans, Period(at, None), _resume))
        for line in lines
        if line.key is not None
    ]
    return edited(order, edits)


def _pause(span: Span) -> Span:
    return replace(span, paused=True)


def _resume(span: Span) -> Span:
    return replace(span, paused=False)


def planned(
    change: PlanChange, at: dt.date, order: OrderFacts, new_price: Sequence[tuple[int, str]]
) -> Effect:
    """End lines on `at` and go on with another SKU each: the unused rest is credited, the new one charged."""
    position = max((line.position for line in order.lines), default=0)
    edits: dict[int, Edit] = {}
    added = []
    for number, (item, (price, kind)) in enumerate(zip(change.items, new_price, strict=True), start=1):
        assert item.replaces is not None
        line = line_of(order, item.replaces)
        window_of(line, at, None, order)
        span = timeline.on(line.spans, at)
        if span is None or kind != line.kind:
            raise InvalidInput(
                f"{line.name} is not in force on {at}"
                if span is None
                else f"{item.sku} is {kind} and can't take the place of {line.name}, which is {line.kind}",
                record=order.record,
                remedy="Cancel the line and add the other SKU",
                code="plan_change",
            )
        quantity = span.quantity if item.quantity is None else item.quantity
        ends_on = item.ends_on or timeline.end_of(line.spans)
        fresh = Span(at, ends_on, quantity, price, item.override, item.discount_percent)
        edits[item.replaces] = timeline.cut(line.spans, at)
        added.append((item, LineFacts(None, position + number, item.sku, kind, (fresh,))))
    return Effect(edits, tuple(added), order.ends_on, ends_order=False)


def transferred(change: Transfer, at: dt.date, order: OrderFacts) -> Effect:
    """End the order for this customer on `at`; the service opens it for the other one on the same day."""
    for line in order.lines:
        if carried(line, at):
            _transferable(line, at, order)
    edits = {line.key: timeline.cut(line.spans, at) for line in order.lines if line.key is not None}
    return Effect(edits, (), at, ends_order=True, successor=change.customer)


def carried(line: LineFacts, at: dt.date) -> tuple[Span, ...]:
    """What another customer takes over of a line: its spans from `at` on. Of what is charged once, nothing
    that has begun."""
    if line.kind in valuation.CHARGED_ONCE:
        return tuple(span for span in line.spans if span.starts_on >= at)
    reaching = (span for span in line.spans if span.ends_on is None or span.ends_on > at)
    return tuple(replace(span, starts_on=max(span.starts_on, at), key=None) for span in reaching)


def _transferable(line: LineFacts, at: dt.date, order: OrderFacts) -> None:
    """A price that counts from the beginning of the line would begin anew. Raises InvalidInput."""
    since = any(_counts_from_the_start(spec_of(span, order)) for span in carried(line, at))
    if since or line.schedule:
        what = "has a price that counts from its start" if since else "is billed by a schedule"
        raise InvalidInput(
            f"{line.name} {what} and would begin anew with the other customer",
            record=order.record,
            remedy="Cancel the line first, and sell what remains of it to the other customer",
            code="not_transferable",
        )


def _counts_from_the_start(spec: Mapping[str, Any]) -> bool:
    if spec.get("model") == "ramp" or spec.get("over_term"):
        return True
    return any(isinstance(value, Mapping) and _counts_from_the_start(value) for value in spec.values())


@dataclass(frozen=True, slots=True)
class Undone:
    """What an applied amendment did: by line the spans before and after it, and the order's end before it."""

    name: str
    lines: tuple[tuple[int, tuple[Span, ...], tuple[Span, ...]], ...]
    ends_on: dt.date | None


def undone(what: Undone, order: OrderFacts) -> Effect:
    """Every line as it was before the amendment. Raises Conflict when a line has changed again since."""
    edits = []
    for key, before, after in what.lines:
        line = line_of(order, key)
        if not _says(line.spans, after):
            raise Conflict(
                f"{line.name} has changed again since {what.name}",
                record=order.record,
                remedy="Undo the later amendment first, or amend the line to what it should be",
                code="changed_since",
            )
        edits.append((key, timeline.become(line.spans, before)))
    return Effect(dict(edits), (), what.ends_on, ends_order=False)


def _says(spans: Iterable[Span], described: Iterable[Span]) -> bool:
    now, then = timeline.joined(spans), timeline.joined(described)
    return len(now) == len(then) and all(
        a.days == b.days and a.says_the_same(b) for a, b in zip(now, then, strict=True)
    )
