"""Rows of orders as values of the domain, read in a fixed number of queries for any number of orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from orders.domain.effects import LineFacts, ListPrice, OrderFacts
from orders.domain.timeline import Span, ordered
from orders.models import Order, OrderLine, Price, Quote, QuoteLine, Segment


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
        paused=segment.paused,
    )


def order_facts(pks: Iterable[int]) -> dict[int, OrderFacts]:
    """The orders by primary key, with lines, timelines and the prices that they point at. Four queries."""
    orders = Order.objects.in_bulk(list(pks))
    lines: dict[int, list[OrderLine]] = defaultdict(list)
    for line in OrderLine.objects.filter(order__in=orders).select_related("sku").order_by("position"):
        lines[line.order_id].append(line)
    spans: dict[int, list[Span]] = defaultdict(list)
    used: set[int] = set()
    segments = Segment.objects.in_force().filter(line__order__in=orders)
    for segment in segments.order_by("line_id", "starts_on"):
        spans[segment.line_id].append(span_of(segment))
        used.add(segment.price_id)
    prices = {pk: ListPrice(price.spec, price.period) for pk, price in Price.objects.in_bulk(used).items()}
    return {
        pk: _facts(
            order,
            tuple(
                LineFacts(
                    line.pk,
                    line.position,
                    line.sku.code,
                    line.sku.kind,
                    ordered(spans[line.pk]),
                    tuple(line.schedule),
                )
                for line in lines[pk]
            ),
            prices,
        )
        for pk, order in orders.items()
    }


def quote_facts(pks: Iterable[int]) -> dict[int, OrderFacts]:
    """Quotes as the orders they would become. Two queries."""
    quotes = Quote.objects.in_bulk(list(pks))
    lines: dict[int, list[LineFacts]] = defaultdict(list)
    prices: dict[int, ListPrice] = {}
    rows = QuoteLine.objects.filter(quote__in=quotes).select_related("sku", "price").order_by("position")
    for row in rows:
        quote = quotes[row.quote_id]
        prices[row.price_id] = ListPrice(row.price.spec, row.price.period)
        span = Span(
            starts_on=row.starts_on or quote.starts_on,
            ends_on=row.ends_on or quote.ends_on,
            quantity=row.quantity,
            price=row.price_id,
            price_override=row.override_spec,
            discount_percent=row.discount_percent,
        )
        lines[row.quote_id].append(
            LineFacts(row.pk, row.position, row.sku.code, row.sku.kind, (span,), tuple(row.schedule))
        )
    return {pk: _facts(quote, tuple(lines[pk]), prices) for pk, quote in quotes.items()}


def _facts(
    contract: Order | Quote, lines: tuple[LineFacts, ...], prices: Mapping[int, ListPrice]
) -> OrderFacts:
    return OrderFacts(
        record=str(contract),
        currency=contract.currency,
        starts_on=contract.starts_on,
        ends_on=contract.ends_on,
        anchor=contract.anchor,
        proration=contract.proration,
        lines=lines,
        prices=prices,
        anchor_on=contract.anchor_on,
        counted_day=contract.counted_day,
        time_zone=contract.time_zone,
    )
