"""Orders: drafted, signed, activated, ended. The list variants cost a fixed number of statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict, InvalidInput, NotFound
from orders import events
from orders.domain.activation import blockers, summary
from orders.models import Customer, Order, OrderLine, Segment
from orders.salesforce.ids import eighteen
from orders.selectors.activation import gate_facts
from orders.services import credit
from orders.services.common import BATCH, Problems, changed, move, numbered
from orders.services.inputs import OrderInput
from orders.services.lines import Asked, clauses, resolve, term_end, write_lines

REFERENCE_DATA = frozenset(
    {
        "po_number",
        "title",
        "consolidation_key",
        "auto_renew",
        "renewal_term_months",
        "renewal_uplift_percent",
    }
)


def create_draft(data: OrderInput, *, actor: Actor, reason: str = "") -> Order:
    """Write one draft order. See `create_drafts`."""
    return create_drafts([data], actor=actor, reason=reason)[0]


def create_drafts(items: Sequence[OrderInput], *, actor: Actor, reason: str = "") -> list[Order]:
    """Write draft orders with their lines and segments, in the order of the input.

    Raises InvalidInput with every problem of every order by its path, NotFound for an unknown customer.
    """
    with acting(actor, reason=reason):
        require(actor, "orders.order.draft")
        return _create(items)


def draft_from_quote(data: OrderInput, *, actor: Actor, reason: str = "") -> Order:
    """The draft order of an accepted quote: called by `quotes.accept`, whose duty covers it."""
    with acting(actor, reason=reason):
        require(actor, "orders.quote.accept")
        if data.quote is None:
            raise InvalidInput("The order names no quote")
        return _create([data])[0]


def _create(items: Sequence[OrderInput]) -> list[Order]:
    customers = _customers(items)
    found = Problems()
    contracts, columns = [], []
    for index, item in enumerate(items):
        path = f"[{index}]." if len(items) > 1 else ""
        customer = customers[item.customer]
        ends_on = term_end(item.starts_on, item.ends_on, item.term_months, path, found)
        if customer.state != Customer.State.ACTIVE:
            found.add(f"{path}customer", f"{customer} is inactive")
        if item.salesforce_opportunity_id:
            try:
                eighteen(item.salesforce_opportunity_id)
            except InvalidInput as error:
                found.add(f"{path}salesforce_opportunity_id", error.message)
        contracts.append(Asked(path, customer, item.starts_on, ends_on, item.lines))
        columns.append(clauses(item.terms, customer, path, found))
    lines = resolve(contracts, found)
    what = f"The order of {contracts[0].customer}" if len(items) == 1 else "The list of orders"
    found.raise_if_any(what, code="order_invalid")
    orders = [
        _order(item, contract, terms, *key)
        for item, contract, terms, key in zip(
            items, contracts, columns, numbered(Order, "O", len(items)), strict=True
        )
    ]
    Order.objects.bulk_create(orders, batch_size=BATCH)
    write_lines(list(zip(orders, lines, strict=True)))
    return orders


def replace_draft(pk: int, data: OrderInput, *, actor: Actor, reason: str = "") -> Order:
    """Write the lines and terms of a draft order anew; its number, customer and source stay."""
    with acting(actor, reason=reason):
        order = locks.row(Order, pk)
        require(actor, "orders.order.draft", record=str(order))
        if order.state != Order.State.DRAFT:
            raise Conflict(
                f"The order is {order.state}", record=str(order), remedy="Only a draft is rewritten"
            )
        if data.customer != order.customer_id:
            raise InvalidInput("The customer of an order never changes", record=str(order))
        found = Problems()
        ends_on = term_end(data.starts_on, data.ends_on, data.term_months, "", found)
        asked = Asked("", order.customer, data.starts_on, ends_on, data.lines)
        terms = clauses(data.terms, order.customer, "", found)
        lines = resolve([asked], found)
        found.raise_if_any("The order", record=str(order), code="order_invalid")
        Segment.objects.filter(line__order=order).delete()
        OrderLine.objects.filter(order=order).delete()
        fresh = _order(data, asked, terms, order.pk, order.number)
        kept = {"id", "number", "customer", "entity", "currency", "quote", "state", "created_at"}
        names = [f.name for f in Order._meta.concrete_fields if f.name not in kept]
        changed(order, {name: getattr(fresh, name) for name in names})
        order.save()
        write_lines([(order, lines[0])])
        return order


def sign(pk: int, *, actor: Actor, signed_on: dt.date | None = None, reason: str = "") -> Order:
    """Record that the customer signed. See `sign_many`."""
    return sign_many([pk], actor=actor, signed_on=signed_on, reason=reason)[0]


def sign_many(
    pks: Sequence[int], *, actor: Actor, signed_on: dt.date | None = None, reason: str = ""
) -> list[Order]:
    """Record the customers' signatures; without a date, today in the time zone of each order's contract."""
    with acting(actor, reason=reason):
        orders = locks.rows(Order, pks)
        require(actor, "orders.order.sign", record=_names(orders))
        with_lines = set(OrderLine.objects.filter(order__in=pks).values_list("order_id", flat=True))
        if empty := [order.number for order in orders if order.pk not in with_lines]:
            raise Conflict("There is nothing to sign: the order has no lines", record=", ".join(empty))
        for day, same_day in _by_day(orders, signed_on).items():
            move(same_day, "sign", signed_on=day)
        return orders


def reopen(pk: int, *, actor: Actor, reason: str = "") -> Order:
    """Take a signed order back to draft, because something must be corrected first."""
    with acting(actor, reason=reason):
        order = locks.row(Order, pk)
        require(actor, "orders.order.reopen", record=str(order))
        move([order], "reopen", signed_on=None)
        return order


def activate(pk: int, *, actor: Actor, as_of: dt.date | None = None, reason: str = "") -> Order:
    """Make one signed order billable. See `activate_many`."""
    return activate_many([pk], actor=actor, as_of=as_of, reason=reason)[0]


def activate_many(
    pks: Sequence[int], *, actor: Actor, as_of: dt.date | None = None, reason: str = ""
) -> list[Order]:
    """Make signed orders billable, all or none; entitlements follow from the published events.

    Raises Conflict that names every blocker of every order: order, line, SKU, and what to do about it.
    """
    with acting(actor, reason=reason):
        orders = locks.rows(Order, pks)
        require(actor, "orders.order.activate", record=_names(orders))
        credit.lock_customers(orders)
        facts = gate_facts(pks, together=True)
        if blocked := {order: found for order in orders if (found := blockers(facts[order.pk]))}:
            raise Conflict(
                "; ".join(f"{order.number}: {summary(found)}" for order, found in blocked.items()),
                record=", ".join(order.number for order in blocked),
                remedy="Clear every point, then activate again",
                code="activation_blocked",
            )
        approvals.gate("orders.order.activate", pks)
        credit.record(orders, {pk: asked for pk in pks if (asked := facts[pk].credit)})
        for day, same_day in _by_day(orders, as_of).items():
            move(same_day, "activate", activated_on=day)
        events.activated(orders)
        return orders


def ask_activate(pk: int, *, actor: Actor, as_of: dt.date | None = None, reason: str = "") -> Request:
    """Ask those whom its terms need to let a signed order become billable."""
    values = {"as_of": as_of} if as_of else {}
    return approvals.submit("orders.order.activate", pk, actor=actor, reason=reason, parameters=values)


def cancel(pk: int, *, actor: Actor, as_of: dt.date | None = None, reason: str = "") -> Order:
    """Cancel an order that never became active. An active one ends by a cancel amendment.

    Raises Conflict for an active order.
    """
    with acting(actor, reason=reason):
        order = locks.row(Order, pk)
        require(actor, "orders.order.cancel", record=str(order))
        if order.state == Order.State.ACTIVE and order.cancelled_on is None:
            raise Conflict(
                "An active order is cancelled from a date on, with an amendment",
                record=str(order),
                remedy="Draft an amendment of kind cancel",
                code="needs_amendment",
            )
        day = order.cancelled_on or as_of or clock.today(order.time_zone)
        was_active = order.state == Order.State.ACTIVE
        move([order], "cancel", cancelled_on=day)
        if was_active:
            events.cancelled([order])
        return order


def complete(pk: int, *, actor: Actor, as_of: dt.date | None = None, reason: str = "") -> Order:
    """Close an order whose term is over. Raises Conflict while it still runs."""
    with acting(actor, reason=reason):
        order = locks.row(Order, pk)
        require(actor, "orders.order.complete", record=str(order))
        day = as_of or clock.today(order.time_zone)
        if order.ends_on is None or order.ends_on > day:
            raise Conflict(
                f"The term runs until {order.ends_on or 'it is cancelled'}",
                record=str(order),
                remedy="Wait for its end, or cancel it with an amendment",
            )
        move([order], "complete")
        return order


def close_ended(*, actor: Actor, as_of: dt.date, reason: str = "") -> int:
    """Close every active order that ended by `as_of`: cancelled ones as cancelled, the rest as completed."""
    with acting(actor, reason=reason):
        require(actor, "orders.order.complete")
        require(actor, "orders.order.cancel")
        ended = Q(ends_on__isnull=False, ends_on__lte=as_of)
        orders = list(
            Order.objects.select_for_update(of=("self",)).filter(ended, state="active").order_by("pk")
        )
        move([order for order in orders if order.cancelled_on is None], "complete")
        gone = [order for order in orders if order.cancelled_on is not None]
        for order in gone:
            order.cancel()
        Order.objects.filter(pk__in=[order.pk for order in gone]).update(state=Order.State.CANCELLED)
        events.cancelled(gone)
        return len(orders)


def update_reference(pk: int, *, actor: Actor, reason: str = "", **columns: Any) -> Order:
    """Change what is no clause about money: PO number, title, consolidation key, renewal clause."""
    with acting(actor, reason=reason):
        order = locks.row(Order, pk)
        require(actor, "orders.order.maintain", record=str(order))
        if unknown := sorted(set(columns) - REFERENCE_DATA):
            raise InvalidInput(f"{', '.join(unknown)} changes by an amendment only", record=str(order))
        changed(order, columns)
        order.save()
        return order


def _names(orders: Sequence[Order]) -> str:
    return ", ".join(order.number for order in orders[:5]) + (" …" if len(orders) > 5 else "")


def _by_day(orders: Sequence[Order], day: dt.date | None) -> dict[dt.date, list[Order]]:
    """The orders by the date that applies to them: the given one, or today in their time zone."""
    days: dict[dt.date, list[Order]] = {}
    zones = {order.time_zone: clock.today(order.time_zone) for order in orders} if day is None else {}
    for order in orders:
        days.setdefault(day or zones[order.time_zone], []).append(order)
    return days


def _customers(items: Sequence[OrderInput]) -> dict[int, Customer]:
    wanted = {item.customer for item in items}
    found = Customer.objects.select_related("entity").in_bulk(wanted)
    if missing := sorted(wanted - set(found)):
        raise NotFound(f"There is no customer with id {', '.join(map(str, missing))}")
    return found


def _order(item: OrderInput, contract: Asked, terms: dict[str, Any], pk: int, number: str) -> Order:
    return Order(
        pk=pk,
        number=number,
        customer=contract.customer,
        currency=contract.customer.currency,
        quote_id=item.quote,
        title=item.title,
        starts_on=contract.starts_on,
        ends_on=contract.ends_on,
        signed_total=item.signed_total,
        consolidation_key=item.consolidation_key,
        salesforce_opportunity_id=(
            eighteen(item.salesforce_opportunity_id) if item.salesforce_opportunity_id else None
        ),
        **terms,
    )
