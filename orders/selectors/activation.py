"""What keeps signed orders from becoming active."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from o2c.periods import Period
from orders.domain import effects, price_spec, schedules
from orders.domain.activation import Blocker, LineFacts, OrderFacts, SegmentFacts, blockers
from orders.models import Order, OrderLine, Price, Segment, Sku
from orders.selectors.credit import credit_of
from orders.selectors.facts import order_facts
from orders.selectors.value import value_of


def blockers_of(pks: Iterable[int]) -> dict[int, list[Blocker]]:
    """Every blocker by order; an order that can activate has an empty list. Ten queries at most."""
    return {pk: blockers(facts) for pk, facts in gate_facts(pks).items()}


def gate_facts(pks: Iterable[int], *, together: bool = False) -> dict[int, OrderFacts]:
    """What the gate looks at, by order; `together` when all of them are to become active at once."""
    chosen = list(pks)
    if not chosen:
        return {}
    rows = Order.objects.filter(pk__in=chosen).select_related("customer__entity", "entity")
    orders = {order.pk: order for order in rows}
    rows_of_lines = list(
        OrderLine.objects.filter(order__in=chosen).select_related("sku__meter").order_by("position")
    )
    worth = order_facts(orders)
    values = {pk: value_of(facts) for pk, facts in worth.items()}
    lines = _line_facts(rows_of_lines, chosen, worth)
    asked = credit_of(list(orders.values()), values, together=together)
    found = {}
    for pk, order in orders.items():
        customer = order.customer
        found[pk] = OrderFacts(
            currency=order.currency,
            customer=str(customer),
            customer_currency=customer.currency,
            customer_state=customer.state,
            entity=order.entity.code,
            customer_entity=customer.entity.code,
            starts_on=order.starts_on,
            ends_on=order.ends_on,
            signed_total=order.signed_total,
            value=values.get(pk, Decimal(0)),
            lines=tuple(lines[pk]),
            credit=asked.get(pk),
        )
    return found


def _line_facts(
    rows: Sequence[OrderLine], pks: list[int], worth: Mapping[int, effects.OrderFacts]
) -> dict[int, list[LineFacts]]:
    segments = _segment_facts(pks, {line.pk: line.sku for line in rows})
    lines: dict[int, list[LineFacts]] = defaultdict(list)
    values = {
        line.key: effects.value(line, facts, effects.horizon_of(facts))
        for facts in worth.values()
        for line in facts.lines
        if line.schedule
    }
    for line in rows:
        sku = line.sku
        lines[line.order_id].append(
            LineFacts(
                position=line.position,
                sku=sku.code,
                kind=sku.kind,
                has_meter=sku.meter_id is not None,
                revenue_treatment=sku.revenue_treatment,
                gl_segment=sku.gl_segment,
                segments=tuple(segments[line.pk]),
                scheduled=schedules.total(line.schedule) if line.schedule else None,
                value=values.get(line.pk, Decimal(0)),
            )
        )
    return lines


def _wrong(spec: Mapping[str, Any], sku: Sku) -> tuple[str, ...]:
    """What is wrong with a price of the SKU."""
    aggregation = sku.meter.aggregation if sku.meter else ""
    return tuple(price_spec.examine(spec, kind=sku.kind, aggregation=aggregation).lines())


def _segment_facts(pks: list[int], skus: Mapping[int, Sku]) -> dict[int, list[SegmentFacts]]:
    """Segments by line. A price is examined once, however many segments point at it."""
    rows = list(Segment.objects.in_force().filter(line__order__in=pks).order_by("line_id", "starts_on"))
    prices = Price.objects.select_related("sku__meter").in_bulk({segment.price_id for segment in rows})
    wrong = {pk: _wrong(price.spec, price.sku) for pk, price in prices.items()}
    segments: dict[int, list[SegmentFacts]] = defaultdict(list)
    for segment in rows:
        price = prices[segment.price_id]
        own = segment.price_override
        found = _wrong(own, skus[segment.line_id]) if own else wrong[price.pk]
        segments[segment.line_id].append(
            SegmentFacts(
                days=Period(segment.starts_on, segment.ends_on),
                price=str(price),
                price_sku=price.sku.code,
                price_currency=price.currency,
                price_state=price.state,
                price_problems=found,
            )
        )
    return segments
