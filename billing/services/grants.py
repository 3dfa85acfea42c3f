"""Grants from their opening to their end: sold with a prepaid line, given away, withdrawn, carried over.

What they pay is not written here but where documents are posted (`covering.py`, `posting.py`).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection
from django.db.models import Sum

from billing import events
from billing.domain import grants as domain
from billing.models import Grant, GrantEntry
from billing.services import instalment_grants
from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting, current_actor
from o2c.controls import approvals
from o2c.errors import Conflict, InvalidInput, NotFound
from o2c.money import quantize
from o2c.periods import add_months
from orders.domain.clauses import scope_problems
from orders.models import Customer, Order, OrderLine, Segment, Sku

ZERO = Decimal(0)
Kind = GrantEntry.Kind


def sync(orders: Iterable[Order], through: dt.date | None = None) -> int:
    """Open the credit of prepaid lines that has no grant yet; withdraw what an amendment took back.

    Of a line that is billed by schedule, the credit of the instalments before `through` (without it: none).
    Inside the caller's transaction and authority. One statement when every prepayment has its grant, none
    for orders without a prepaid line, which must come with their lines and SKUs.
    """
    selling = {
        order.pk: order
        for order in orders
        if any(line.sku.kind == Sku.Kind.PREPAID for line in order.lines.all())
    }
    if not selling:
        return 0
    segments = list(
        Segment.objects.filter(line__order__in=selling, line__sku__kind=Sku.Kind.PREPAID, line__schedule=[])
        .select_related("line", "price")
        .order_by("line_id", "starts_on", "pk")
    )
    known = {
        grant.segment_id: grant for grant in Grant.objects.filter(segment__in=segments, origin="prepaid")
    }
    by = current_actor().user_id
    made: list[Grant] = []
    sold: dict[int, Decimal] = defaultdict(Decimal)
    paid: dict[int, Decimal] = defaultdict(Decimal)
    for segment in segments:
        emptied = segment.ends_on is not None and segment.ends_on <= segment.starts_on
        grant = known.get(segment.pk)
        if emptied and grant is not None:
            _withdraw(grant, segment.starts_on)
            sold[segment.line_id] += _used(grant)
        if emptied:
            continue
        if grant is None:
            grant = _of_segment(segment, selling[segment.line.order_id], by)
            # What the line sold before, or was used of a segment that this one replaces, is no new credit.
            grant.granted -= sold[segment.line_id]
            grant.paid = max(grant.paid - paid[segment.line_id], ZERO)
            if grant.granted <= 0:
                continue
            made.append(grant)
        sold[segment.line_id] += grant.granted
        paid[segment.line_id] += grant.paid
    if through is not None:
        change = instalment_grants.changes(_by_instalment(selling.values()), through, by)
        made += change.opened
        for grant, day in change.withdrawn:
            _withdraw(grant, day)
    _open(made)
    return len(made)


def _by_instalment(orders: Iterable[Order]) -> dict[int, tuple[OrderLine, Order]]:
    """Prepaid lines that are billed by schedule."""
    return {
        line.pk: (line, order)
        for order in orders
        for line in order.lines.all()
        if line.sku.kind == Sku.Kind.PREPAID and line.schedule
    }


def _used(grant: Grant) -> Decimal:
    drawn = grant.entries.filter(kind__in=[Kind.DRAWN, Kind.RESTORED]).aggregate(sum=Sum("amount"))["sum"]
    return -(drawn or ZERO)


def _of_segment(segment: Segment, order: Order, by: int) -> Grant:
    """The grant that a prepaid segment sells, by its price and the grant's terms in it."""
    spec: Mapping[str, Any] = segment.price_override or segment.price.spec
    paid = Fraction(spec["amount"]) * (1 - Fraction(segment.discount_percent) / 100)
    return Grant(
        **instalment_grants.terms_of(
            spec.get("grant", {}), segment.starts_on, segment.ends_on or order.ends_on
        ),
        customer_id=order.customer_id,
        entity_id=order.entity_id,
        currency=order.currency,
        order=order,
        line_id=segment.line_id,
        segment=segment,
        origin=Grant.Origin.PREPAID,
        granted=quantize(Fraction(spec["credit"]), order.currency),
        paid=quantize(paid, order.currency),  # as its charge is rounded
        opened_by_id=by,
    )


def _open(made: Sequence[Grant]) -> None:
    if not made:
        return
    Grant.objects.bulk_create(made)
    GrantEntry.objects.bulk_create(
        GrantEntry(grant=one, kind=Kind.OPENED, amount=one.granted, occurred_on=one.starts_on) for one in made
    )
    events.grant_events(events.GRANT_OPENED, [one.pk for one in made])


def _withdraw(grant: Grant, on: dt.date) -> None:
    """Take back what is left; what was drawn stays drawn."""
    if grant.remaining > 0:
        GrantEntry.objects.create(grant=grant, kind=Kind.WITHDRAWN, amount=-grant.remaining, occurred_on=on)


def open_prepaid(order_ids: Iterable[int], *, actor: Actor, reason: str = "") -> int:
    """Open the credit that these orders sold and that has no grant yet; how many grants."""
    with acting(actor, reason=reason or "Credit sold with the order"):
        require(actor, "billing.grant.open")
        orders = Order.objects.filter(pk__in=set(order_ids), activated_on__isnull=False)
        return sync(orders.prefetch_related("lines__sku"))


def promote(
    *,
    customer_id: int,
    amount: Decimal,
    starts_on: dt.date,
    ends_on: dt.date | None = None,
    order_id: int | None = None,
    currency: str = "",
    priority: int = 100,
    scope: Mapping[str, Any] | None = None,
    actor: Actor,
    reason: str = "",
) -> Grant:
    """Give a customer credit that nobody paid for. It lowers what usage earns, so it needs a reason.

    Raises InvalidInput for an amount that is not above zero, dates the wrong way round or a scope that cannot
    be read, NotFound for an order of another customer.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.grant.promote", record=f"customer {customer_id}")
        customer = Customer.objects.filter(pk=customer_id).first()
        if customer is None:
            raise NotFound(f"There is no customer {customer_id}")
        order = Order.objects.filter(pk=order_id, customer=customer).first() if order_id else None
        if order_id and order is None:
            raise NotFound(f"There is no order {order_id} of this customer", record=customer.number)
        money = order.currency if order else (currency or customer.currency)
        _check_promotion(customer, amount, starts_on, ends_on, scope or {}, reason, money)
        grant = Grant(
            customer=customer,
            entity_id=order.entity_id if order else customer.entity_id,
            currency=money,
            order=order,
            origin=Grant.Origin.PROMOTIONAL,
            granted=amount,
            priority=priority,
            starts_on=starts_on,
            ends_on=ends_on,
            scope=dict(scope or {}),
            opened_by_id=actor.user_id,
            reason=reason,
        )
        _open([grant])
        approvals.gate("billing.grant.promote", [grant.pk])
        grant.refresh_from_db()
        return grant


def _check_promotion(
    customer: Customer,
    amount: Decimal,
    starts_on: dt.date,
    ends_on: dt.date | None,
    scope: Mapping[str, Any],
    reason: str,
    currency: str,
) -> None:
    record = customer.number
    if amount <= 0 or amount != quantize(amount, currency):
        raise InvalidInput(f"{amount} is not an amount of {currency} above zero", record=record)
    if ends_on is not None and ends_on <= starts_on:
        raise InvalidInput(f"{ends_on} is not after the start, {starts_on}", record=record)
    if not reason.strip():
        raise InvalidInput("Say why the credit is given", record=record)
    for place, message in scope_problems(scope):
        raise InvalidInput(f"scope{place}: {message}", record=record)


def withdraw(grant_id: int, *, on: dt.date, actor: Actor, reason: str = "") -> Grant:
    """Take back what is left of a promotional grant. Paid credit leaves by an amendment of its order."""
    with acting(actor, reason=reason):
        require(actor, "billing.grant.withdraw", record=f"grant {grant_id}")
        grant = locks.row(Grant, grant_id)
        if grant.origin != Grant.Origin.PROMOTIONAL:
            raise Conflict(
                "Only promotional credit is withdrawn", record=str(grant), remedy="Amend its order"
            )
        if not reason.strip():
            raise InvalidInput("Say why the credit is withdrawn", record=str(grant))
        if not grant.remaining:
            raise Conflict("Nothing is left of it", record=str(grant))
        _withdraw(grant, on)
        grant.refresh_from_db()
        return grant


# Grants that ended by a day and are not settled, unless usage of their days waits to be billed: metered
# after the last day that its line was billed to.
ENDED = """
SELECT g.id FROM billing_grant g
WHERE g.remaining > 0 AND g.ends_on <= %(as_of)s
  AND (%(customers)s::bigint[] IS NULL OR g.customer_id = ANY(%(customers)s))
  AND NOT EXISTS (
    SELECT 1 FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id
    JOIN billing_usagehour h ON h.line_id = l.id
    WHERE o.customer_id = g.customer_id AND o.entity_id = g.entity_id AND o.currency = g.currency
      AND (g.order_id IS NULL OR g.order_id = o.id)
      AND h.hour >= g.starts_on::timestamp AT TIME ZONE o.time_zone
      AND h.hour < g.ends_on::timestamp AT TIME ZONE o.time_zone
      AND h.hour >= coalesce((SELECT max(c.covers_to) FROM billing_charge c
                              WHERE c.line_id = l.id AND c.kind = 'usage'), '-infinity'::date
                            )::timestamp AT TIME ZONE o.time_zone)
ORDER BY g.id
"""


def expire(
    as_of: dt.date, *, customer_ids: Sequence[int] | None = None, actor: Actor, reason: str = ""
) -> int:
    """Settle grants that ended by `as_of`: carry over what their terms say, let the rest expire; how many.

    A grant waits while usage of its days is not billed yet. What a later correction gives back to a grant
    that ended expires the next time.
    """
    with acting(actor, reason=reason or "Credit expired"):
        require(actor, "billing.grant.expire")
        with connection.cursor() as cursor:
            customers = None if customer_ids is None else list(customer_ids)
            cursor.execute(ENDED, {"as_of": as_of, "customers": customers})
            ids = [pk for (pk,) in cursor.fetchall()]
        entries: list[GrantEntry] = []
        carried: list[Grant] = []
        settled = set(Grant.objects.filter(parent__in=ids).values_list("parent_id", flat=True))
        for grant in locks.rows(Grant, ids):
            _settle(grant, entries, carried, again=grant.pk in settled)
        GrantEntry.objects.bulk_create(entries)
        _open(carried)
        events.grant_events(events.GRANT_EXPIRED, ids)
        return len(ids)


def _settle(grant: Grant, entries: list[GrantEntry], carried: list[Grant], *, again: bool) -> None:
    """One grant's end. What comes back after it was carried over once expires."""
    assert grant.ends_on is not None
    percent = ZERO if again else grant.rollover_percent
    end = domain.ending(grant.remaining, percent, grant.rollover_limit, grant.currency)
    if end.rolled_over:
        entries.append(_end_entry(grant, Kind.ROLLED_OVER, end.rolled_over))
        carried.append(_carried(grant, end.rolled_over))
    if end.expired:
        entries.append(_end_entry(grant, Kind.EXPIRED, end.expired))


def _end_entry(grant: Grant, kind: str, amount: Decimal) -> GrantEntry:
    assert grant.ends_on is not None
    return GrantEntry(grant=grant, kind=kind, amount=-amount, occurred_on=grant.ends_on)


def _carried(grant: Grant, amount: Decimal) -> Grant:
    """The new grant: same cost basis, scope and priority; it is not carried over again."""
    assert grant.ends_on is not None
    return Grant(
        customer_id=grant.customer_id,
        entity_id=grant.entity_id,
        currency=grant.currency,
        order_id=grant.order_id,
        line_id=grant.line_id,
        segment_id=grant.segment_id,
        parent=grant,
        origin=Grant.Origin.ROLLOVER,
        granted=amount,
        paid=domain.worth(grant.granted, grant.paid, amount, grant.currency),
        priority=grant.priority,
        starts_on=grant.ends_on,
        ends_on=add_months(grant.ends_on, grant.rollover_months),
        scope=grant.scope,
        opened_by_id=current_actor().user_id,
    )
