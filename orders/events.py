"""What orders publishes. Payload: {"order_id", "order", "customer_id"}, the key first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from o2c import outbox
from orders.models import Amendment, MilestoneRecord, Order

ACTIVATED = "orders.order.activated"
AMENDED = "orders.order.amended"
CANCELLED = "orders.order.cancelled"
MILESTONE = "orders.order.milestone"


def activated(orders: Sequence[Order]) -> None:
    """The orders are billable from now on."""
    outbox.publish_many([_event(ACTIVATED, order) for order in orders])


def amended(order: Order, amendment: Amendment) -> None:
    """Segments of the order changed; whoever derived something from them derives it again."""
    more = {
        "amendment_id": amendment.pk,
        "kind": amendment.kind,
        "effective_on": amendment.effective_on.isoformat(),
    }
    outbox.publish_many([_event(AMENDED, order, more)])


def milestone(order: Order, record: MilestoneRecord) -> None:
    """A milestone was reached, or (without a day) that it was reached is taken back."""
    more = {
        "line_id": record.line_id,
        "milestone": record.milestone,
        "reached_on": record.reached_on and record.reached_on.isoformat(),
    }
    outbox.publish_many([_event(MILESTONE, order, more)])


def cancelled(orders: Sequence[Order]) -> None:
    """The orders ended before their term; `cancelled_on` is the first day that is no longer served."""
    outbox.publish_many(
        [
            _event(CANCELLED, o, {"cancelled_on": o.cancelled_on and o.cancelled_on.isoformat()})
            for o in orders
        ]
    )


def _event(kind: str, order: Order, more: dict[str, Any] | None = None) -> tuple[str, str, dict[str, Any]]:
    payload = {"order_id": order.pk, "order": order.number, "customer_id": order.customer_id, **(more or {})}
    return (kind, f"orders.order:{order.pk}", payload)
