"""Rows of orders as values of the domain, read in a fixed number of queries for any number of orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from orders.domain.effects import LineFacts, ListPrice, OrderFacts
from orders.domain.timeline import Span, ordered
from orders.models import Order, OrderLine, Price, Segment


def span_of(segment: Segment) -> Span:
    """A stored segment as a span."""
    return Span(
        starts_on=segment.starts_on,
        ends_on=segment.ends_on,
        quantity=segment.quantity,
        price=segment.price_id,
        price_override=segment.price_override,
        discount_percent=segment.discount_percent,
        key=segment.pk,
    )


def order_facts(pks: Iterable[int]) -> dict[int, OrderFacts]:
    """The orders by primary key, with lines, timelines and the prices that they point at. Four queries."""
    orders = Order.objects.in_bulk(list(pks))
    lines: dict[int, list[OrderLine]] = defaultdict(list)
    for line in OrderLine.objects.filter(order__in=orders).select_related("sku").order_by("position"):
        lines[line.order_id].append(line)
    spans: dict[int, list[Span]] = defaultdict(list)
    segments = Segment.objects.in_force().filter(line__order__in=orders)
    used: set[int] = set()
    for segment in segments.order_by("line_id", "starts_on"):
        spans[segment.line_id].append(span_of(segment))
        used.add(segment.price_id)
    prices = {pk: ListPrice(price.spec, price.period) for pk, price in Price.objects.in_bulk(used).items()}
    return {
        pk: OrderFacts(
            record=order.number,
            currency=order.currency,
            starts_on=order.starts_on,
            ends_on=order.ends_on,
            anchor=order.anchor,
            proration=order.proration,
            lines=tuple(
                LineFacts(line.pk, line.position, line.sku.code, line.sku.kind, ordered(spans[line.pk]))
                for line in lines[pk]
            ),
            prices=prices,
        )
        for pk, order in orders.items()
    }
