"""An order as it stands, what an amendment does to it, and the questions that all amendments ask."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from o2c.errors import InvalidInput
from o2c.periods import Period
from orders.domain import valuation
from orders.domain.changes import NewLine
from orders.domain.price_spec import Spec
from orders.domain.timeline import Edit, Span


@dataclass(frozen=True, slots=True)
class ListPrice:
    """A price version as far as effects need it; `period` is what a recurring amount pays for."""

    spec: Spec
    period: str


@dataclass(frozen=True, slots=True)
class LineFacts:
    """One line as it stands; `key` is None for a line that the amendment adds."""

    key: int | None
    position: int
    sku: str
    kind: str
    spans: tuple[Span, ...]
    schedule: tuple[Mapping[str, Any], ...] = ()

    @property
    def name(self) -> str:
        return f"line {self.position} ({self.sku})"


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """The order as it stands, with every price version that its spans or the change refer to."""

    record: str
    currency: str
    starts_on: dt.date
    ends_on: dt.date | None
    anchor: str
    proration: str
    lines: tuple[LineFacts, ...]
    prices: Mapping[int, ListPrice]
    anchor_on: dt.date | None = None
    counted_day: str = "first"
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Effect:
    """`edits` by line key; `added` are new lines, each with the clause it came from; `ends_on` is the order's
    end. `successor` is the number of the customer to whom the order goes.
    """

    edits: Mapping[int, Edit]
    added: tuple[tuple[NewLine, LineFacts], ...]
    ends_on: dt.date | None
    ends_order: bool
    successor: str = ""


def spec_of(span: Span, order: OrderFacts) -> Spec:
    """The price in force on a span: the negotiated one, else that of the list."""
    return span.price_override or order.prices[span.price].spec


def within_term(effective_on: dt.date, order: OrderFacts) -> None:
    if effective_on < order.starts_on or (order.ends_on is not None and effective_on >= order.ends_on):
        raise InvalidInput(
            f"{effective_on} is not inside the term {Period(order.starts_on, order.ends_on)}",
            record=order.record,
            remedy="Choose a date inside the term, or renew the order first",
            code="outside_term",
        )


def line_of(order: OrderFacts, key: int) -> LineFacts:
    found = next((line for line in order.lines if line.key == key), None)
    if found is None:
        raise InvalidInput(f"The order has no line with id {key}", record=order.record, code="unknown_line")
    return found


def window_of(line: LineFacts, effective_on: dt.date, until: dt.date | None, order: OrderFacts) -> Period:
    """The days that are changed. A line that is charged once can only be changed as a whole."""
    not_scheduled(line, order)
    if until is not None and until <= effective_on:
        raise InvalidInput(f"The change ends ({until}) before it begins", record=order.record)
    if line.kind in valuation.CHARGED_ONCE and (
        until is not None or any(span.starts_on < effective_on for span in line.spans)
    ):
        raise InvalidInput(
            f"{line.name} is charged once and can't change in the middle of its term",
            record=order.record,
            remedy="Make it effective on the first day of the line, or add a line for the difference",
            code="charged_once",
        )
    return Period(effective_on, until)


def not_scheduled(line: LineFacts, order: OrderFacts) -> None:
    if line.schedule:
        raise InvalidInput(
            f"{line.name} is billed by a schedule, which would no longer sum to what the line is worth",
            record=order.record,
            remedy="Cancel the line and add one with a schedule of its own",
            code="scheduled",
        )


def edited(order: OrderFacts, edits: Iterable[tuple[int, Edit]]) -> Effect:
    return Effect(dict(edits), (), order.ends_on, ends_order=False)
