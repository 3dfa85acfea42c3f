"""Writing quotes and orders line by line, as a person does on a page; each act one service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Max

from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict, NotFound
from orders.models import Order, OrderLine, Quote, QuoteLine, Segment
from orders.services import orders, quotes
from orders.services.common import Problems, changed, responsible
from orders.services.inputs import LineInput, OrderInput, QuoteInput, TermsInput
from orders.services.lines import Asked, clauses, resolve, write_lines
from orders.services.pricing import unit_override


def new_order(
    *,
    customer: int,
    starts_on: dt.date,
    term_months: int | None = None,
    title: str = "",
    po_number: str = "",
    billing_frequency: str = "month",
    signed_total: Decimal | None = None,
    actor: Actor,
    reason: str = "",
) -> Order:
    """An empty draft order; lines are added to it."""
    data = OrderInput(
        customer=customer,
        starts_on=starts_on,
        term_months=term_months,
        lines=(),
        terms=TermsInput(billing_frequency=billing_frequency, po_number=po_number),
        title=title,
        signed_total=signed_total,
    )
    return orders.create_draft(data, actor=actor, reason=reason)


def add_order_line(pk: int, *, actor: Actor, reason: str = "", **asked: Any) -> Order:
    """Add a line to a draft order; `asked` as in `_line`. Raises Conflict once it is signed."""
    with acting(actor, reason=reason):
        order = locks.row(Order, pk)
        require(actor, "orders.order.draft", record=str(order))
        _only_draft(order)
        found = Problems()
        line = _line(order.currency, order.starts_on, **asked)
        lines = resolve([Asked("", order.customer, order.starts_on, order.ends_on, (line,))], found)
        found.raise_if_any("The line", record=str(order))
        last = order.lines.aggregate(Max("position"))["position__max"] or 0
        write_lines([(order, lines[0])], after=last)
        return order


def set_order_terms(pk: int, *, actor: Actor, reason: str = "", **columns: Any) -> Order:
    """Other billing clauses of a draft order; names as in `TermsInput`. Raises Conflict once it is signed."""
    with acting(actor, reason=reason):
        order = locks.row(Order, pk)
        require(actor, "orders.order.draft", record=str(order))
        _only_draft(order)
        _set_terms(order, columns)
        return order


def set_quote_terms(pk: int, *, actor: Actor, reason: str = "", **columns: Any) -> Quote:
    """Other billing clauses of a draft quote; names as in `TermsInput`."""
    with acting(actor, reason=reason):
        quote = _draft_quote(pk, actor)
        _set_terms(quote, columns)
        return quote


MAY_BE_EMPTY = ("anchor_on", "termination_notice_days", "acceptance_days", "side_letter")


def _set_terms(contract: Order | Quote, columns: dict[str, Any]) -> None:
    """Write the clauses that were said. What holds only when it is said may be emptied, nothing else."""
    found = Problems()
    said = {name: value for name, value in columns.items() if value not in (None, "")}
    wanted = clauses(TermsInput(**said), contract.customer, "", found)
    found.raise_if_any("The billing clauses", record=str(contract))
    values = {name: wanted[name] for name in said}
    values |= {name: columns[name] for name in MAY_BE_EMPTY if name in columns}
    names = changed(contract, values)
    if names:
        contract.save(update_fields=names)


def remove_order_line(pk: int, *, line: int, actor: Actor, reason: str = "") -> Order:
    """Take a line off a draft order. Raises NotFound for a line of another order."""
    with acting(actor, reason=reason):
        order = locks.row(Order, pk)
        require(actor, "orders.order.draft", record=str(order))
        _only_draft(order)
        rows = OrderLine.objects.filter(pk=line, order=order)
        if not rows.exists():
            raise NotFound(f"The order has no line with id {line}", record=str(order))
        Segment.objects.filter(line=line).delete()
        rows.delete()
        return order


def new_quote(
    *,
    customer: int,
    starts_on: dt.date,
    valid_until: dt.date,
    term_months: int | None = None,
    title: str = "",
    billing_frequency: str = "month",
    actor: Actor,
    reason: str = "",
) -> Quote:
    """An empty draft quote; lines are added to it."""
    data = QuoteInput(
        customer=customer,
        starts_on=starts_on,
        valid_until=valid_until,
        term_months=term_months,
        lines=(),
        terms=TermsInput(billing_frequency=billing_frequency),
        title=title,
    )
    return quotes.create_draft(data, actor=actor, reason=reason)


def add_quote_line(pk: int, *, actor: Actor, reason: str = "", **asked: Any) -> Quote:
    """Add a line to a draft quote. What is below the list price needs `override_reason`."""
    with acting(actor, reason=reason):
        quote = _draft_quote(pk, actor)
        line = _line(quote.currency, quote.starts_on, **asked)
        last = quote.lines.aggregate(Max("position"))["position__max"] or 0
        quotes.append_lines(quote, (line,), after=last)
        return quote


def remove_quote_line(pk: int, *, line: int, actor: Actor, reason: str = "") -> Quote:
    """Take a line off a draft quote."""
    with acting(actor, reason=reason):
        quote = _draft_quote(pk, actor)
        gone, _ = QuoteLine.objects.filter(pk=line, quote=quote).delete()
        if not gone:
            raise NotFound(f"The quote has no line with id {line}", record=str(quote))
        return quote


def _draft_quote(pk: int, actor: Actor) -> Quote:
    """The draft, locked, with the actor as its last editor: they can't approve it any more."""
    quote = locks.row(Quote, pk)
    require(actor, "orders.quote.draft", record=str(quote))
    if quote.state != Quote.State.DRAFT:
        raise Conflict(f"The quote is {quote.state}", record=str(quote), remedy="Recall it, or revise it")
    if quote.last_edited_by_id != responsible(actor):
        quote.last_edited_by_id = responsible(actor)
        quote.save(update_fields=["last_edited_by"])
    return quote


def _only_draft(order: Order) -> None:
    if order.state != Order.State.DRAFT:
        raise Conflict(
            f"The order is {order.state}",
            record=str(order),
            remedy="Take it back to draft, or amend it once it is active",
        )


def _line(
    currency: str,
    day: dt.date,
    *,
    sku: str,
    quantity: Decimal = Decimal(1),
    unit_amount: Decimal | None = None,
    discount_percent: Decimal | None = None,
    override_reason: str = "",
    description: str = "",
    usage_key: str = "",
    timing: str = "",
    frequency: str = "",
    schedule: Sequence[Mapping[str, Any]] = (),
) -> LineInput:
    """A line from the few fields of a dialog; `unit_amount` in place of the list price's."""
    return LineInput(
        sku=sku,
        quantity=quantity,
        price_override=None if unit_amount is None else unit_override(sku, currency, day, unit_amount),
        discount_percent=discount_percent or Decimal(0),
        override_reason=override_reason,
        description=description,
        usage_key=usage_key,
        timing=timing or None,
        frequency=frequency,
        schedule=tuple(schedule),
    )
