"""The effect of an amendment: which segments close and open on which line, and what the contract is worth
then.

Pure: the service reads the facts, asks `compute`, shows `described` as a preview, and later writes exactly
the edits of a second `compute` whose description must be the same.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from o2c.errors import InvalidInput
from o2c.money import quantize
from o2c.periods import Period, add_months
from orders.domain import moves, schedules, timeline, valuation
from orders.domain.changes import (
    AddLines,
    Cancellation,
    Change,
    Pause,
    PlanChange,
    PriceChange,
    PriceItem,
    QuantityChange,
    QuantityItem,
    Renewal,
    Resumption,
    Transfer,
    Undo,
)
from orders.domain.facts import (
    Effect,
    LineFacts,
    ListPrice,
    OrderFacts,
    edited,
    line_of,
    not_scheduled,
    spec_of,
    window_of,
    within_term,
)
from orders.domain.price_spec import scaled
from orders.domain.timeline import Edit, Span

__all__ = ["Effect", "LineFacts", "ListPrice", "OrderFacts"]


def compute(
    change: Change,
    effective_on: dt.date,
    order: OrderFacts,
    *,
    renewal_price: Mapping[int, int] | None = None,
    new_price: Sequence[tuple[int, str]] = (),
    undone: moves.Undone | None = None,
) -> Effect:
    """What `change` does to `order` from `effective_on` on.

    `renewal_price` gives, by line, the list price that a renewal moves to ("reprice": "list"); `new_price`
    gives, by position, price and kind of the SKU for each added line; `undone` is what an amendment did
    that is taken back. Raises InvalidInput when the change is impossible or changes nothing.
    """
    if isinstance(change, Renewal):
        effect = _renewed(change, effective_on, order, renewal_price or {})
    elif isinstance(change, Undo):
        assert undone is not None, "the service reads the amendment that is undone"
        effect = moves.undone(undone, order)
    else:
        within_term(effective_on, order)
        if isinstance(change, QuantityChange):
            effect = edited(order, _each_quantity(change, effective_on, order))
        elif isinstance(change, PriceChange):
            effect = edited(order, _each_price(change, effective_on, order))
        elif isinstance(change, AddLines):
            effect = _added(change, effective_on, order, new_price)
        elif isinstance(change, PlanChange):
            effect = moves.planned(change, effective_on, order, new_price)
        elif isinstance(change, Pause):
            effect = moves.paused(change, effective_on, order)
        elif isinstance(change, Resumption):
            effect = moves.resumed(change, effective_on, order)
        elif isinstance(change, Transfer):
            effect = moves.transferred(change, effective_on, order)
        else:
            effect = _cancelled(change, effective_on, order)
    if not effect.added and not any(effect.edits.values()):
        raise InvalidInput(
            "The amendment changes nothing: every line it names already is what it asks for",
            record=order.record,
            remedy="Check the effective date and the lines",
            code="no_effect",
        )
    return effect


def _each_quantity(change: QuantityChange, at: dt.date, order: OrderFacts) -> Iterable[tuple[int, Edit]]:
    for item in change.items:
        line = line_of(order, item.line)
        window = window_of(line, at, change.until, order)
        yield item.line, timeline.change(line.spans, window, _to_quantity(item, line, order))


def _to_quantity(item: QuantityItem, line: LineFacts, order: OrderFacts) -> Callable[[Span], Span]:
    def become(span: Span) -> Span:
        quantity = item.quantity if item.quantity is not None else span.quantity + (item.delta or 0)
        if quantity < 0:
            raise InvalidInput(
                f"{line.name} has {_plain(span.quantity)} on {span.days}; "
                f"it can't go down by {_plain(abs(item.delta or Decimal(0)))}",
                record=order.record,
                remedy="Reduce by less, or cancel the line",
                code="negative_quantity",
            )
        return replace(span, quantity=quantity)

    return become


def _each_price(change: PriceChange, at: dt.date, order: OrderFacts) -> Iterable[tuple[int, Edit]]:
    for item in change.items:
        line = line_of(order, item.line)
        window = window_of(line, at, change.until, order)
        yield item.line, timeline.change(line.spans, window, _to_price(item))


def _to_price(item: PriceItem) -> Callable[[Span], Span]:
    def become(span: Span) -> Span:
        return replace(
            span,
            price=span.price if item.price is None else item.price,
            price_override=item.override if item.override or item.drop_override else span.price_override,
            discount_percent=span.discount_percent
            if item.discount_percent is None
            else item.discount_percent,
        )

    return become


def _added(change: AddLines, at: dt.date, order: OrderFacts, new_price: Sequence[tuple[int, str]]) -> Effect:
    position = max((line.position for line in order.lines), default=0)
    added = []
    for number, (item, (price, kind)) in enumerate(zip(change.items, new_price, strict=True), start=1):
        ends_on = item.ends_on or order.ends_on
        if ends_on is not None and (ends_on <= at or (order.ends_on is not None and ends_on > order.ends_on)):
            raise InvalidInput(
                f"The new line for {item.sku} ends on {ends_on}, outside the term "
                f"{Period(at, order.ends_on)}",
                record=order.record,
                code="outside_term",
            )
        quantity = Decimal(1) if item.quantity is None else item.quantity
        span = Span(at, ends_on, quantity, price, item.override, item.discount_percent)
        line = LineFacts(None, position + number, item.sku, kind, (span,), item.schedule)
        _schedule_sums(line, order)
        added.append((item, line))
    return Effect({}, tuple(added), order.ends_on, ends_order=False)


def _schedule_sums(line: LineFacts, order: OrderFacts) -> None:
    if not line.schedule:
        return
    span = line.spans[0]
    wrong = schedules.examine(
        line.schedule, currency=order.currency, starts_on=span.starts_on, ends_on=span.ends_on
    )
    if not wrong:
        billed, worth = schedules.total(line.schedule), value(line, order, horizon_of(order))
        if billed == worth:
            return
        wrong = {"": [f"sums to {billed}, the line is worth {worth} over its term"]}
    raise InvalidInput(
        f"The schedule of {line.name} is not valid",
        record=order.record,
        remedy="Correct the schedule, or the price and the dates of the line",
        code="schedule_invalid",
        fields={f"schedule{place}": texts for place, texts in wrong.items()},
    )


def _cancelled(change: Cancellation, at: dt.date, order: OrderFacts) -> Effect:
    chosen = [line_of(order, key) for key in change.lines] or list(order.lines)
    edits = {line.key: timeline.cut(line.spans, at) for line in chosen if line.key is not None}
    left = [
        line
        for line in order.lines
        if any(
            span.ends_on is None or span.ends_on > at
            for span in timeline.applied(line.spans, edits.get(line.key or 0, Edit()))
        )
    ]
    return Effect(edits, (), order.ends_on if left else at, ends_order=not left)


def _renewed(change: Renewal, at: dt.date, order: OrderFacts, renewal_price: Mapping[int, int]) -> Effect:
    if order.ends_on is None:
        raise InvalidInput("An order without end needs no renewal", record=order.record)
    if at != order.ends_on:
        raise InvalidInput(
            f"A renewal begins where the order ends, on {order.ends_on}, not on {at}", record=order.record
        )
    until = add_months(order.ends_on, change.term_months)
    chosen = [line_of(order, key) for key in change.lines] or [
        line
        for line in order.lines
        if line.kind not in valuation.CHARGED_ONCE
        and not line.schedule
        and timeline.end_of(line.spans) == order.ends_on
    ]
    edits: dict[int, Edit] = {}
    for line in chosen:
        _renewable(line, order)
        assert line.key is not None
        become = _uplifted(change, order, renewal_price.get(line.key))
        edits[line.key] = timeline.extend(line.spans, until, become)
    return Effect(edits, (), until if edits else order.ends_on, ends_order=False)


def _renewable(line: LineFacts, order: OrderFacts) -> None:
    not_scheduled(line, order)
    if line.kind in valuation.CHARGED_ONCE:
        raise InvalidInput(
            f"{line.name} is charged once and is not renewed",
            record=order.record,
            remedy="Add a line for a new purchase",
            code="charged_once",
        )
    if timeline.end_of(line.spans) != order.ends_on:
        raise InvalidInput(
            f"{line.name} does not run to the end of the order and can't be renewed with it",
            record=order.record,
            code="line_ended",
        )


def _uplifted(change: Renewal, order: OrderFacts, list_price: int | None) -> Callable[[Span], Span]:
    def become(span: Span) -> Span:
        if list_price is not None:
            span = replace(span, price=list_price, price_override=None)
        if change.uplift_percent == 0:
            return span
        return replace(span, price_override=scaled(spec_of(span, order), change.uplift_percent))

    return become


def value(line: LineFacts, order: OrderFacts, horizon: dt.date) -> Decimal:
    """The committed value of a line; what is without end counts up to `horizon`."""
    if not line.spans:
        return Decimal(0)
    clauses = valuation.Clauses(
        kind=line.kind,
        starts_on=order.starts_on,
        first_day=line.spans[0].starts_on,
        until=horizon,
        anchor=order.anchor,
        proration=order.proration,
        anchor_on=order.anchor_on,
        counted_day=order.counted_day,
        time_zone=order.time_zone,
    )
    priced = [
        valuation.Priced(span, spec_of(span, order), order.prices[span.price].period) for span in line.spans
    ]
    return valuation.line_value(priced, clauses, order.currency)


def yearly(line: LineFacts, order: OrderFacts, day: dt.date) -> Decimal:
    """What a recurring line comes to in a year at what is in force on `day`; zero for every other line."""
    span = timeline.on(line.spans, day)
    if span is None or span.paused or line.kind != "recurring":
        return Decimal(0)
    month = valuation.months_between(line.spans[0].starts_on, day)
    per_period = valuation.amount(spec_of(span, order), span.quantity, month)
    period = order.prices[span.price].period
    periods = Fraction(365, 7) if period == "week" else Fraction(12, valuation.MONTHS[period])
    keep = 1 - Fraction(span.discount_percent) / 100
    return quantize(per_period * periods * keep, order.currency)


def horizon_of(order: OrderFacts, effect: Effect | None = None) -> dt.date:
    """Up to where value is counted: the latest end in sight, or a year from the start without one."""
    ends = [end for end in (order.ends_on, effect.ends_on if effect else None) if end is not None]
    return max(ends) if ends else add_months(order.starts_on, 12)


def described(effect: Effect, effective_on: dt.date, order: OrderFacts) -> dict[str, Any]:
    """The effect as JSON for a preview: per touched line its segments before and after, and the values of
    both.
    """
    horizon = horizon_of(order, effect)
    lines, before_all, after_all = [], Decimal(0), Decimal(0)
    for line in order.lines:
        edit = effect.edits.get(line.key or 0, Edit())
        after = replace(line, spans=timeline.applied(line.spans, edit))
        before_value, after_value = value(line, order, horizon), value(after, order, horizon)
        before_all, after_all = before_all + before_value, after_all + after_value
        if edit:
            lines.append(_described_line(line, line.spans, after.spans, before_value, after_value))
    for _, line in effect.added:
        line_value = value(line, order, horizon)
        after_all += line_value
        lines.append(_described_line(line, (), line.spans, Decimal(0), line_value))
    return {
        "effective_on": effective_on.isoformat(),
        "currency": order.currency,
        "ends_on": {"before": _iso(order.ends_on), "after": _iso(effect.ends_on)},
        "ends_order": effect.ends_order,
        **({"successor": effect.successor} if effect.successor else {}),
        "value": {"before": str(before_all), "after": str(after_all), "delta": str(after_all - before_all)},
        "lines": lines,
    }


def _described_line(
    line: LineFacts,
    before: Sequence[Span],
    after: Sequence[Span],
    before_value: Decimal,
    after_value: Decimal,
) -> dict[str, Any]:
    return {
        "line": line.key,
        "position": line.position,
        "sku": line.sku,
        "before": [described_span(span) for span in before],
        "after": [described_span(span) for span in after],
        "value": {
            "before": str(before_value),
            "after": str(after_value),
            "delta": str(after_value - before_value),
        },
    }


def described_span(span: Span) -> dict[str, Any]:
    return {
        "starts_on": span.starts_on.isoformat(),
        "ends_on": _iso(span.ends_on),
        "quantity": _plain(span.quantity),
        "price": span.price,
        "price_override": span.price_override,
        "discount_percent": _plain(span.discount_percent),
        **({"paused": True} if span.paused else {}),
    }


def span_described(row: Mapping[str, Any]) -> Span:
    """The span that `described_span` wrote down."""
    return Span(
        starts_on=dt.date.fromisoformat(row["starts_on"]),
        ends_on=dt.date.fromisoformat(row["ends_on"]) if row["ends_on"] else None,
        quantity=Decimal(row["quantity"]),
        price=row["price"],
        price_override=row["price_override"],
        discount_percent=Decimal(row["discount_percent"]),
        paused=row.get("paused", False),
    )


def digest(description: Mapping[str, Any]) -> str:
    """Fingerprint of a described effect: sha256 of its canonical JSON."""
    canonical = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _iso(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
