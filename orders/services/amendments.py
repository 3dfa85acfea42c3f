"""Amendments: drafted with their effect in front of everybody, applied exactly as previewed or not at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db.models import Max

from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict, InvalidInput, NotFound
from orders import events
from orders.domain import changes, effects, moves, price_spec
from orders.domain.changes import (
    AddLines,
    Cancellation,
    PlanChange,
    PriceChange,
    Renewal,
    Transfer,
    Undo,
)
from orders.domain.effects import Effect, ListPrice, OrderFacts
from orders.domain.schedules import CUSTOM
from orders.domain.timeline import Span
from orders.domain.valuation import periods_of
from orders.models import Amendment, Order, OrderLine, Price, Segment, Sku
from orders.selectors.facts import order_facts
from orders.services import credit, transfers
from orders.services.common import BATCH, move, responsible


def draft(
    order: int,
    *,
    kind: str,
    effective_on: dt.date,
    changes: Mapping[str, Any],
    actor: Actor,
    as_of: dt.date | None = None,
    reason: str = "",
) -> Amendment:
    """Draft an amendment of an active order and compute its effect; nothing about the order changes yet.

    `changes` is described in orders/domain/changes.py. `as_of` is the day the request is made (default: today
    in the contract's time zone): a cancellation "now" or "period_end" may not lie before it, a backdated one
    must, and needs a reason. For "period_end" the cancellation takes effect at the end of the billing period
    that holds `effective_on`; a renewal takes effect where the order ends, whatever `effective_on` says.

    Raises Conflict when the order is not active, InvalidInput with every problem of the changes.
    """
    with acting(actor, reason=reason):
        row = locks.row(Order, order)
        require(actor, "orders.amendment.draft", record=str(row))
        day, description, _ = _computed(row, kind, effective_on, changes, as_of, reason)
        last = Amendment.objects.filter(order=row).aggregate(Max("number"))["number__max"] or 0
        return Amendment.objects.create(
            order=row,
            number=last + 1,
            kind=kind,
            effective_on=day,
            changes=dict(changes),
            reason=reason,
            effect=description,
            effect_digest=effects.digest(description),
            value_before=Decimal(description["value"]["before"]),
            value_after=Decimal(description["value"]["after"]),
            drafted_by_id=responsible(actor),
        )


def preview(
    order: int,
    *,
    kind: str,
    effective_on: dt.date,
    changes: Mapping[str, Any],
    as_of: dt.date | None = None,
    reason: str = "preview",
) -> dict[str, Any]:
    """The effect that an amendment would have, without writing anything; what `draft` stores."""
    row = Order.objects.filter(pk=order).first()
    if row is None:
        raise NotFound(f"There is no order with id {order}")
    return _computed(row, kind, effective_on, changes, as_of, reason)[1]


def apply(pk: int, *, actor: Actor, as_of: dt.date | None = None, reason: str = "") -> Amendment:
    """Close and open the segments as previewed; a transfer also opens the order of the other customer.

    Raises Conflict when the order has changed since the amendment was drafted, so that the effect would be
    another, and when it adds more than the customer's credit lets through.
    """
    with acting(actor, reason=reason):
        order_id = Amendment.objects.filter(pk=pk).values_list("order_id", flat=True).first()
        if order_id is None:
            raise NotFound(f"There is no amendment with id {pk}")
        order = locks.row(Order, order_id)
        amendment = locks.row(Amendment, pk)
        require(actor, "orders.amendment.apply", record=str(amendment))
        if amendment.state != Amendment.State.DRAFT:
            raise Conflict(f"The amendment is {amendment.state}", record=str(amendment))
        _active(order)
        approvals.gate(act_of(amendment), [pk])
        change = changes.read(amendment.kind, amendment.changes, record=str(amendment))
        facts, effect = _effect(order, change, amendment.effective_on)
        description = effects.described(effect, amendment.effective_on, facts)
        if effects.digest(description) != amendment.effect_digest:
            raise Conflict(
                "The order has changed since this amendment was drafted; its effect would be another",
                record=str(amendment),
                remedy="Reject it and draft it again",
                code="effect_changed",
            )
        credit.pass_amendment(order, amendment)
        _write(order, amendment, effect)
        day = as_of or clock.today(order.time_zone)
        move([amendment], "apply", applied_by_id=responsible(actor), applied_on=day)
        _end_order(order, effect, day)
        events.amended(order, amendment)
        if effect.successor:
            transfers.open_successor(order, amendment, facts, effect, day)
        return amendment


def act_of(amendment: Amendment) -> str:
    """The act under approval that applying it is: ending the order, or changing it."""
    cancels = amendment.kind == Amendment.Kind.CANCEL
    return "orders.amendment.cancel" if cancels else "orders.amendment.apply"


def ask(pk: int, *, actor: Actor, as_of: dt.date | None = None, reason: str = "") -> Request:
    """Ask for a drafted amendment to be applied, where its policy wants somebody else to look."""
    amendment = Amendment.objects.filter(pk=pk).first()
    if amendment is None:
        raise NotFound(f"There is no amendment with id {pk}")
    parameters = {"as_of": as_of.isoformat()} if as_of else {}
    return approvals.submit(act_of(amendment), pk, actor=actor, reason=reason, parameters=parameters)


def reject(pk: int, *, actor: Actor, reason: str = "") -> Amendment:
    """Do not change the order."""
    with acting(actor, reason=reason):
        amendment = locks.row(Amendment, pk)
        require(actor, "orders.amendment.apply", record=str(amendment))
        move([amendment], "reject")
        return amendment


def _active(order: Order) -> None:
    if order.state != Order.State.ACTIVE:
        raise Conflict(
            f"The order is {order.state}; only an active order is amended",
            record=str(order),
            remedy="Change a draft directly; take a signed order back to draft first",
            code="order_not_active",
        )


def _computed(
    order: Order,
    kind: str,
    effective_on: dt.date,
    asked: Mapping[str, Any],
    as_of: dt.date | None,
    reason: str,
) -> tuple[dt.date, dict[str, Any], Effect]:
    """The day on which the change takes effect, its description and the effect itself."""
    _active(order)
    if isinstance(effective_on, dt.datetime):
        raise InvalidInput(
            f"{effective_on.isoformat()} is not a date. {changes.WHOLE_DAYS}",
            record=str(order),
            fields={"effective_on": ["must be a date without a time"]},
            code="time_of_day",
        )
    change = changes.read(kind, asked, record=str(order))
    if isinstance(change, Renewal):
        effective_on = order.ends_on or effective_on
    elif isinstance(change, Cancellation):
        effective_on = _cancelled_on(order, change, effective_on, as_of, reason)
    elif isinstance(change, Undo):
        effective_on = applied_amendment(order, change.amendment).effective_on
    facts, effect = _effect(order, change, effective_on)
    return effective_on, effects.described(effect, effective_on, facts), effect


def _cancelled_on(
    order: Order, change: Cancellation, asked: dt.date, as_of: dt.date | None, reason: str
) -> dt.date:
    today = as_of or clock.today(order.time_zone)
    if change.mode == "backdated":
        if asked >= today:
            raise InvalidInput(
                f"{asked} is not in the past; this is no backdated cancellation", record=str(order)
            )
        if not reason.strip():
            raise InvalidInput(
                "A backdated cancellation takes money back and needs a reason",
                record=str(order),
                fields={"reason": ["is missing"]},
            )
        return asked
    if asked < today:
        raise InvalidInput(
            f"{asked} is in the past",
            record=str(order),
            remedy="Cancel from today on, or say that it is backdated",
        )
    return asked if change.mode == "now" else period_end(order, asked)


def period_end(order: Order, day: dt.date) -> dt.date:
    """Where the billing period that holds `day` ends, but not after the order."""
    whole = next(
        periods_of(
            order.billing_frequency,
            order.starts_on,
            order.anchor,
            order.anchor_on,
            since=day,
            until=day + dt.timedelta(days=1),
        )
    )
    end = whole.end
    assert end is not None
    return min(end, order.ends_on) if order.ends_on else end


def _effect(order: Order, change: changes.Change, effective_on: dt.date) -> tuple[OrderFacts, Effect]:
    """Facts and effect, with the prices that the change brings in. Raises InvalidInput for prices that don't
    fit.
    """
    facts = order_facts([order.pk])[order.pk]
    if isinstance(change, PriceChange):
        lines = {line.key: line for line in facts.lines}
        wanted = [
            (item.price, lines[item.line].sku, item.override) for item in change.items if item.line in lines
        ]
        facts = _with_prices(facts, wanted)
        return facts, effects.compute(change, effective_on, facts)
    if isinstance(change, Undo):
        return facts, effects.compute(change, effective_on, facts, undone=_undone(order, change))
    if isinstance(change, Transfer):
        transfers.check(order, change.customer)
    if isinstance(change, AddLines | PlanChange):
        chosen = _new_prices(order, change, effective_on)
        wanted = [
            (price, item.sku, item.override) for (price, _), item in zip(chosen, change.items, strict=True)
        ]
        facts = _with_prices(facts, wanted)
        return facts, effects.compute(change, effective_on, facts, new_price=chosen)
    if isinstance(change, Renewal) and change.reprice == "list":
        listed = _list_prices(order, facts, effective_on)
        facts = _with_prices(facts, [(pk, line, None) for pk, line in listed.values()])
        renewal = {key: pk for key, (pk, _) in listed.items()}
        return facts, effects.compute(change, effective_on, facts, renewal_price=renewal)
    return facts, effects.compute(change, effective_on, facts)


def _with_prices(
    facts: OrderFacts, wanted: Sequence[tuple[int | None, str, Mapping[str, Any] | None]]
) -> OrderFacts:
    """The facts with further price versions, each checked against SKU and currency."""
    pks = {pk for pk, _, _ in wanted if pk is not None}
    found = Price.objects.select_related("sku").in_bulk(pks)
    kinds = {sku.code: sku.kind for sku in Sku.objects.filter(code__in={code for _, code, _ in wanted})}
    for pk, code, override in wanted:
        if override is not None:
            price_spec.validate(override, record=f"{facts.record}, {code}", kind=kinds.get(code, ""))
        price = found.get(pk) if pk is not None else None
        if pk is None:
            continue
        if price is None or price.sku.code != code or price.currency != facts.currency:
            raise InvalidInput(
                f"Price {pk} is not one of {code} in {facts.currency}",
                record=facts.record,
                remedy=f"Choose a price of {code} in {facts.currency}",
                code="price_mismatch",
            )
        if price.state != Price.State.ACTIVE:
            raise InvalidInput(
                f"Price {pk} of {code} is {price.state}",
                record=facts.record,
                remedy="Choose an active price",
                code="price_state",
            )
    more = {pk: ListPrice(price.spec, price.period) for pk, price in found.items()}
    return replace(facts, prices={**facts.prices, **more})


def _listed(order: Order, sku_codes: Sequence[str], day: dt.date) -> dict[str, Price]:
    """The active list prices on a day, by SKU code."""
    rows = Price.objects.select_related("sku").filter(
        sku__code__in=sku_codes, currency=order.currency, state="active", effective_from__lte=day
    )
    return {
        price.sku.code: price
        for price in rows.order_by("effective_from")
        if price.effective_to is None or price.effective_to > day
    }


def applied_amendment(order: Order, number: int) -> Amendment:
    """The applied amendment of that number. Raises NotFound, or Conflict when it can't be undone."""
    found = Amendment.objects.filter(order=order, number=number).first()
    if found is None or found.state != Amendment.State.APPLIED:
        raise NotFound(f"The order has no applied amendment {number}", record=str(order))
    if found.kind == Amendment.Kind.TRANSFER:
        raise Conflict(
            "A transfer opened an order for somebody else and is not undone",
            record=str(found),
            remedy="Transfer that order back",
        )
    return found


def _undone(order: Order, change: Undo) -> moves.Undone:
    """What the amendment did, from its stored effect; lines that it added had nothing before."""
    amendment = applied_amendment(order, change.amendment)
    added = dict(OrderLine.objects.filter(added_by=amendment).values_list("position", "pk"))
    lines = []
    for row in amendment.effect["lines"]:
        key = row["line"] if row["line"] is not None else added[row["position"]]
        before, after = (tuple(map(effects.span_described, row[side])) for side in ("before", "after"))
        lines.append((key, before, after))
    ends_on = amendment.effect["ends_on"]["before"]
    return moves.Undone(str(amendment), tuple(lines), dt.date.fromisoformat(ends_on) if ends_on else None)


def _new_prices(order: Order, change: AddLines | PlanChange, day: dt.date) -> list[tuple[int, str]]:
    """Price and kind of SKU for every new line: the named price, else the list price on its first day."""
    codes = [item.sku for item in change.items]
    skus = {sku.code: sku for sku in Sku.objects.filter(code__in=codes)}
    listed = _listed(order, codes, day)
    chosen = []
    for index, item in enumerate(change.items):
        sku = skus.get(item.sku)
        if sku is None or not sku.active:
            raise InvalidInput(
                f"There is no SKU {item.sku!r} on sale",
                record=str(order),
                fields={f"lines[{index}].sku": ["is not on sale"]},
            )
        _attributed(sku, order)
        price = item.price or (listed[item.sku].pk if item.sku in listed else None)
        if price is None:
            raise InvalidInput(
                f"{item.sku} has no list price in {order.currency} that is valid on {day}",
                record=str(order),
                remedy="Activate a list price first",
                fields={f"lines[{index}].price": ["is missing"]},
            )
        chosen.append((price, sku.kind))
    return chosen


def _attributed(sku: Sku, order: Order) -> None:
    """A line that is added later passes the gate that the order passed."""
    missing = []
    if sku.kind == Sku.Kind.USAGE and sku.meter_id is None:
        missing.append("a meter")
    if not sku.revenue_treatment:
        missing.append("a revenue treatment")
    if not sku.gl_segment:
        missing.append("a GL segment")
    if missing:
        raise Conflict(
            f"The SKU {sku.code} lacks {', '.join(missing)} and can't be added to an active order",
            record=str(order),
            remedy="Complete the SKU in the catalogue first",
            code="activation_blocked",
        )


def _list_prices(order: Order, facts: OrderFacts, day: dt.date) -> dict[int, tuple[int, str]]:
    """By line that runs to the end: the list price on the first day after it, and its SKU."""
    lines = {line.key: line for line in facts.lines if line.key is not None}
    listed = _listed(order, [line.sku for line in lines.values()], day)
    return {key: (listed[line.sku].pk, line.sku) for key, line in lines.items() if line.sku in listed}


def _write(order: Order, amendment: Amendment, effect: Effect) -> None:
    """Close, then open: in two statements, and two more for new lines."""
    ends = [(key, end) for edit in effect.edits.values() for key, end in edit.closed]
    rows = Segment.objects.in_bulk([key for key, _ in ends])
    for key, end in ends:
        rows[key].ends_on = end
        rows[key].closed_by = amendment
    Segment.objects.bulk_update(rows.values(), ["ends_on", "closed_by"], batch_size=BATCH)
    opened = [(key, span) for key, edit in effect.edits.items() for span in edit.opened]
    opened += _write_new_lines(order, amendment, effect)
    last = dict(
        Segment.objects.filter(line__in={key for key, _ in opened})
        .values_list("line")
        .annotate(Max("sequence"))
        .order_by()
    )
    fresh = []
    for key, span in sorted(opened, key=lambda pair: (pair[0], pair[1].starts_on)):
        last[key] = last.get(key, 0) + 1
        fresh.append(_segment(key, last[key], span, amendment))
    Segment.objects.bulk_create(fresh, batch_size=BATCH)


def _segment(line: int, sequence: int, span: Span, amendment: Amendment) -> Segment:
    return Segment(
        line_id=line,
        sequence=sequence,
        starts_on=span.starts_on,
        ends_on=span.ends_on,
        quantity=span.quantity,
        price_id=span.price,
        price_override=span.price_override,
        discount_percent=span.discount_percent,
        paused=span.paused,
        opened_by=amendment,
    )


def _write_new_lines(order: Order, amendment: Amendment, effect: Effect) -> list[tuple[int, Span]]:
    skus = {sku.code: sku for sku in Sku.objects.filter(code__in={item.sku for item, _ in effect.added})}
    replaced = OrderLine.objects.in_bulk([i.replaces for i, _ in effect.added if i.replaces is not None])
    lines = [
        OrderLine(
            order=order,
            position=facts.position,
            sku=skus[item.sku],
            description=item.description or skus[item.sku].name,
            timing="arrears"
            if skus[item.sku].kind == Sku.Kind.USAGE
            else (old.timing if old else item.timing),
            frequency=CUSTOM if item.schedule else (old.frequency if old else item.frequency),
            schedule=list(item.schedule),
            usage_key=old.usage_key if old else item.usage_key,
            added_by=amendment,
        )
        for item, facts in effect.added
        for old in (replaced.get(item.replaces or 0),)
    ]
    OrderLine.objects.bulk_create(lines)
    return [(line.pk, facts.spans[0]) for line, (_, facts) in zip(lines, effect.added, strict=True)]


def _end_order(order: Order, effect: Effect, day: dt.date) -> None:
    """Move the end of the order; one that is already over by `day` is cancelled, a later one by the
    scheduler.
    """
    columns: dict[str, Any] = {}
    if effect.ends_on != order.ends_on:
        columns["ends_on"] = effect.ends_on
    if effect.ends_order:
        columns["cancelled_on"] = effect.ends_on
    elif order.cancelled_on is not None and effect.ends_on != order.ends_on:
        columns["cancelled_on"] = None  # renewed after all
    if effect.ends_order and effect.ends_on is not None and effect.ends_on <= day:
        move([order], "cancel", **columns)
        events.cancelled([order])
    elif columns:
        for name, value in columns.items():
            setattr(order, name, value)
        order.save(update_fields=list(columns))
