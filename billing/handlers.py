"""How billing answers events, its own included: what was posted is queued for its customer."""

from __future__ import annotations

from collections.abc import Sequence

from billing import events
from billing.services import delivery
from o2c import outbox
from o2c.actor import current_actor


@outbox.consumer("billing.delivery", events.INVOICE_POSTED, events.CREDIT_MEMO_POSTED)
def queue_delivery(batch: Sequence[outbox.Event]) -> None:
    """Queue what was posted; a task sends it after the commit."""
    delivery.queue([event.payload["invoice_id"] for event in batch], actor=current_actor())
