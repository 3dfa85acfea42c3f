"""The gate in front of billing: everything that keeps an order from becoming active, said at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from o2c.periods import Period
from orders.domain import credit


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why an order can't activate: on which line and SKU (0 and "" for the order), and what to do."""

    position: int
    sku: str
    code: str
    message: str
    remedy: str

    def __str__(self) -> str:
        where = f"line {self.position} ({self.sku}): " if self.position else ""
        return f"{where}{self.message}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """A segment and the price it points at."""

    days: Period
    price: str
    price_sku: str
    price_currency: str
    price_state: str
    price_problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A line with what its SKU is attributed to; `scheduled` is the sum of its instalments, if it has any."""

    position: int
    sku: str
    kind: str
    has_meter: bool
    revenue_treatment: str
    gl_segment: str
    segments: tuple[SegmentFacts, ...]
    scheduled: Decimal | None = None
    value: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order and its customer; `signed_total` is None when nobody stated what was signed for, `credit` when
    somebody else than the customer pays.
    """

    currency: str
    customer: str
    customer_currency: str
    customer_state: str
    entity: str
    customer_entity: str
    starts_on: dt.date
    ends_on: dt.date | None
    signed_total: Decimal | None
    value: Decimal
    lines: tuple[LineFacts, ...]
    credit: credit.Asked | None = None


def blockers(order: OrderFacts) -> list[Blocker]:
    """Every reason why the order can't activate; an empty list when it can."""
    return [*_of_order(order), *(found for line in order.lines for found in _of_line(line, order))]


def _of_order(order: OrderFacts) -> Iterator[Blocker]:
    def block(code: str, message: str, remedy: str) -> Blocker:
        return Blocker(0, "", code, message, remedy)

    if not order.entity:
        yield block("no_entity", "The order has no legal entity", "Choose who of us sells")
    if order.entity != order.customer_entity:
        yield block(
            "entity_mismatch",
            f"The order is with {order.entity}, the customer {order.customer} with {order.customer_entity}",
            "Make the order with the customer's entity, or a customer for the other entity",
        )
    if order.currency != order.customer_currency:
        yield block(
            "currency_mismatch",
            f"The order is in {order.currency}, "
            f"the customer {order.customer} pays in {order.customer_currency}",
            "Make the order in the customer's currency",
        )
    if order.customer_state != "active":
        yield block(
            "customer_inactive", f"The customer {order.customer} is inactive", "Reactivate the customer"
        )
    if not order.lines:
        yield block("no_lines", "The order has no lines", "Add what was sold")
    if order.signed_total is not None and order.signed_total != order.value:
        yield block(
            "signed_total_mismatch",
            f"The customer signed for {order.signed_total} {order.currency}, "
            f"the lines come to {order.value} {order.currency} over the term",
            "Compare quantities, prices, discounts and dates with the signed document",
        )
    if order.credit is not None and (found := credit.problem(order.credit)):
        yield block(*found)


def _of_line(line: LineFacts, order: OrderFacts) -> Iterator[Blocker]:
    def block(code: str, message: str, remedy: str) -> Blocker:
        return Blocker(line.position, line.sku, code, message, remedy)

    if line.kind == "usage" and not line.has_meter:
        yield block("no_meter", "the SKU has no meter", "Give the SKU the meter that measures it")
    if not line.revenue_treatment:
        yield block(
            "no_revenue_treatment",
            "the SKU has no revenue treatment",
            "Ask revenue accounting to say how its revenue is recognised",
        )
    if not line.gl_segment:
        yield block("no_gl_segment", "the SKU has no GL segment", "Give the SKU a segment of the GL export")
    if not line.segments:
        yield block("no_segments", "the line has no segment", "Give it a quantity, a price and dates")
    if line.scheduled is not None and line.scheduled != line.value:
        yield block(
            "schedule_total",
            f"its instalments sum to {line.scheduled} {order.currency}, "
            f"the line is worth {line.value} {order.currency} over its term",
            "Correct the schedule, or the price, quantity and dates of the line",
        )
    term = Period(order.starts_on, order.ends_on)
    for segment in line.segments:
        for code, message, remedy in _of_segment(segment, line, order, term):
            yield block(code, message, remedy)


def _of_segment(
    segment: SegmentFacts, line: LineFacts, order: OrderFacts, term: Period
) -> Iterator[tuple[str, str, str]]:
    if segment.price_currency != order.currency:
        yield (
            "price_currency",
            f"the segment {segment.days} has the price {segment.price} in {segment.price_currency}, "
            f"the order is in {order.currency}",
            f"Choose a price in {order.currency}",
        )
    if segment.price_sku != line.sku:
        yield (
            "price_sku",
            f"the segment {segment.days} has a price of {segment.price_sku}",
            f"Choose a price of {line.sku}",
        )
    if segment.price_state != "active":
        yield (
            "price_state",
            f"the price {segment.price} is {segment.price_state}",
            "Activate the price, or choose an active one",
        )
    for problem in segment.price_problems:
        yield ("price_invalid", f"the price of {segment.days} is not valid: {problem}", "Correct the price")
    if not _inside(segment.days, term):
        yield (
            "outside_term",
            f"the segment {segment.days} is not inside the term {term}",
            "Correct the dates of the segment or of the order",
        )


def _inside(days: Period, term: Period) -> bool:
    if days.start < term.start:
        return False
    return term.end is None or (days.end is not None and days.end <= term.end)


def summary(found: Sequence[Blocker]) -> str:
    """All blockers as one text, for an error message."""
    return "; ".join(str(blocker).rstrip(".") for blocker in found)
