"""Milestones: recorded as reached, which bills them, or taken back, which credits them."""

from __future__ import annotations

import datetime as dt

from django.db.models import Max

from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict, InvalidInput, NotFound
from orders import events
from orders.domain import schedules, timeline
from orders.models import MilestoneRecord, Order, OrderLine
from orders.selectors.facts import order_facts
from orders.selectors.milestones import reached_on as days_reached


def record(
    pk: int,
    *,
    line: int,
    milestone: str,
    reached_on: dt.date,
    actor: Actor,
    as_of: dt.date | None = None,
    reason: str = "",
) -> MilestoneRecord:
    """Say that a milestone of an active order was reached; `reason` names the proof of it.

    The next bill run through a later day bills it. Raises InvalidInput for a day after `as_of` (default:
    today) or outside of the line, Conflict when the milestone is reached already.
    """
    with acting(actor, reason=reason):
        order, row = _milestone_line(pk, line, milestone, actor)
        if reached_on > (as_of or clock.today(order.time_zone)):
            raise InvalidInput(f"{reached_on} has not come yet", record=str(order))
        spans = next(facts.spans for facts in order_facts([pk])[pk].lines if facts.key == line)
        if timeline.on(spans, reached_on) is None:
            raise InvalidInput(
                f"Line {row.position} is not in force on {reached_on}",
                record=str(order),
                remedy="Say a day on which the line runs",
                code="outside_line",
            )
        known = days_reached([line])[line].get(milestone)
        if known is not None:
            raise Conflict(
                f"{milestone} is recorded as reached on {known} already",
                record=str(order),
                remedy="Take that back first if it is wrong",
                code="milestone_reached",
            )
        return _append(order, row, milestone, reached_on, reason)


def retract(pk: int, *, line: int, milestone: str, actor: Actor, reason: str = "") -> MilestoneRecord:
    """Take back that a milestone was reached; what it billed is credited by the next run. Needs a reason."""
    with acting(actor, reason=reason):
        order, row = _milestone_line(pk, line, milestone, actor)
        if not reason.strip():
            raise InvalidInput(
                "Taking a milestone back credits what it billed and needs a reason",
                record=str(order),
                fields={"reason": ["is missing"]},
            )
        if milestone not in days_reached([line])[line]:
            raise Conflict(f"{milestone} is not recorded as reached", record=str(order))
        return _append(order, row, milestone, None, reason)


def _milestone_line(pk: int, line: int, milestone: str, actor: Actor) -> tuple[Order, OrderLine]:
    order = locks.row(Order, pk)
    require(actor, "orders.milestone.record", record=str(order))
    if order.state not in (Order.State.ACTIVE, Order.State.COMPLETED):
        raise Conflict(
            f"The order is {order.state}",
            record=str(order),
            remedy="Activate it first",
            code="order_not_active",
        )
    row = OrderLine.objects.filter(pk=line, order=order).first()
    if row is None:
        raise NotFound(f"The order has no line with id {line}", record=str(order))
    schedules.milestone(row.schedule, milestone, record=f"{order}, line {row.position}")
    return order, row


def _append(
    order: Order, line: OrderLine, milestone: str, day: dt.date | None, reason: str
) -> MilestoneRecord:
    known = MilestoneRecord.objects.filter(line=line, milestone=milestone)
    last = known.aggregate(Max("sequence"))["sequence__max"] or 0
    made = MilestoneRecord.objects.create(
        line=line, milestone=milestone, sequence=last + 1, reached_on=day, reason=reason
    )
    events.milestone(order, made)
    return made
