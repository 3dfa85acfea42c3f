"""How billing answers events, its own included: what was posted is sent, what came in is matched."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from billing import events
from billing.services import delivery
from o2c import outbox
from o2c.actor import current_actor


@outbox.consumer("billing.delivery", events.INVOICE_POSTED, events.CREDIT_MEMO_POSTED)
def queue_delivery(batch: Sequence[outbox.Event]) -> None:
    """Queue what was posted for its customer; the sending is a task, after the commit."""
    queued = delivery.queue([event.payload["invoice_id"] for event in batch], actor=current_actor())
    if queued:
        transaction.on_commit(_send_soon)


def _send_soon() -> None:
    from billing.tasks import send_documents  # Celery needs the settings, and this module is read before

    send_documents.delay()
