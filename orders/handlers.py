"""How orders answers its own events: entitlements follow active lines."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from o2c import outbox
from o2c.actor import current_actor
from orders.events import ACTIVATED, AMENDED, CANCELLED
from orders.services import entitlements


@outbox.consumer("orders.entitlements", ACTIVATED, AMENDED, CANCELLED)
def follow_lines(events: Sequence[outbox.Event]) -> None:
    """Write what must be granted or revoked; the calls are made after the commit, by a task."""
    waiting = entitlements.sync({event.payload["order_id"] for event in events}, actor=current_actor())
    if waiting:
        transaction.on_commit(_call_soon)


def _call_soon() -> None:
    from orders.tasks import send_provisioning  # Celery needs the settings, and this module is read before

    send_provisioning()
