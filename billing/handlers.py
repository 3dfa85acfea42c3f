"""How billing answers events, its own included: what was posted is queued for its customer."""

from __future__ import annotations

from collections.abc import Sequence

from billing import events
from billing.models import BillRun
from billing.services import delivery, grants
from o2c import outbox
from o2c.actor import current_actor


@outbox.consumer("billing.delivery", events.INVOICE_POSTED, events.CREDIT_MEMO_POSTED)
def queue_delivery(batch: Sequence[outbox.Event]) -> None:
    """Queue what was posted; a task sends it after the commit."""
    delivery.queue([event.payload["invoice_id"] for event in batch], actor=current_actor())


@outbox.consumer("billing.grants", "orders.order.activated", "orders.order.amended")
def open_grants(batch: Sequence[outbox.Event]) -> None:
    """Credit that an order sold is there from its activation on."""
    grants.open_prepaid([event.payload["order_id"] for event in batch], actor=current_actor())


@outbox.consumer("billing.grant_ends", events.RUN_POSTED)
def settle_grants(batch: Sequence[outbox.Event]) -> None:
    """Once usage up to a day is billed, credit that ended by then is carried over or gone."""
    runs = BillRun.objects.filter(pk__in={event.payload["run_id"] for event in batch})
    for through in sorted(set(runs.values_list("through", flat=True))):
        grants.expire(through, actor=current_actor())
