"""An order that another customer takes over: a new order with the clauses of the old one."""

from __future__ import annotations

import datetime as dt

from o2c.errors import Conflict, InvalidInput
from orders import events
from orders.domain import moves
from orders.domain.activation import blockers, summary
from orders.domain.effects import Effect, OrderFacts
from orders.models import Amendment, BillingTerms, Customer, Order, OrderLine, Segment
from orders.selectors.activation import gate_facts
from orders.services import credit
from orders.services.common import BATCH, move, numbered

TERMS = [field.attname for field in BillingTerms._meta.local_fields]
LINE = ("sku_id", "description", "timing", "frequency", "usage_key", "source_line_id")


def check(order: Order, number: str) -> Customer:
    """The customer who can take the order over. Raises InvalidInput for one who can't."""
    customer = Customer.objects.filter(number=number).first()
    problem = ""
    if customer is None:
        problem = "is not known"
    elif customer.pk == order.customer_id:
        problem = "has the order already"
    elif customer.state != Customer.State.ACTIVE:
        problem = "is inactive"
    elif (customer.currency, customer.entity_id) != (order.currency, order.entity_id):
        problem = f"pays in {customer.currency} or buys from another of our companies"
    if customer is None or problem:
        raise InvalidInput(
            f"{number} {problem}",
            record=str(order),
            remedy="Name an active customer of the same company and currency",
            fields={"customer": [problem]},
        )
    return customer


def open_successor(
    order: Order, amendment: Amendment, facts: OrderFacts, effect: Effect, day: dt.date
) -> Order:
    """The active order of the other customer from the end of this one on, billed in the same periods.

    `facts` is the order before the transfer. Raises Conflict when the new order could not be activated.
    """
    at = amendment.effective_on
    pk, number = numbered(Order, "O", 1)[0]
    terms = {name: getattr(order, name) for name in TERMS}
    if order.anchor == Order.Anchor.ANNIVERSARY:
        terms["anchor_on"] = order.anchor_on or order.starts_on
    new = Order(
        pk=pk,
        number=number,
        customer=check(order, effect.successor),
        currency=order.currency,
        opened_by=amendment,
        title=order.title,
        starts_on=at,
        ends_on=facts.ends_on,
        **terms,
    )
    new.save(force_insert=True)
    _copy_lines(new, facts, at)
    move([new], "sign", signed_on=day)
    credit.lock_customers([new])
    gate = gate_facts([new.pk])[new.pk]
    if blocked := blockers(gate):
        raise Conflict(summary(blocked), record=number, code="activation_blocked")
    credit.record([new], {new.pk: gate.credit} if gate.credit else {})
    move([new], "activate", activated_on=day)
    events.activated([new])
    return new


def _copy_lines(new: Order, facts: OrderFacts, at: dt.date) -> None:
    taken = [(line, spans) for line in facts.lines if (spans := moves.carried(line, at))]
    old = OrderLine.objects.in_bulk([line.key for line, _ in taken if line.key is not None])
    lines = [
        OrderLine(
            order=new,
            position=position,
            added_by=new.opened_by,
            **{name: getattr(old[line.key or 0], name) for name in LINE},
        )
        for position, (line, _) in enumerate(taken, start=1)
    ]
    OrderLine.objects.bulk_create(lines)
    Segment.objects.bulk_create(
        [
            Segment(
                line=line,
                sequence=sequence,
                starts_on=span.starts_on,
                ends_on=span.ends_on,
                quantity=span.quantity,
                price_id=span.price,
                price_override=span.price_override,
                discount_percent=span.discount_percent,
                paused=span.paused,
            )
            for line, (_, spans) in zip(lines, taken, strict=True)
            for sequence, span in enumerate(spans, start=1)
        ],
        batch_size=BATCH,
    )
