"""What a person may do about a delivery that is stuck."""

from __future__ import annotations

from o2c import clock, locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict
from o2c.outbox.models import Delivery


def retry(pk: int, *, actor: Actor, reason: str = "") -> Delivery:
    """Make a stuck or waiting delivery due now. Raises Conflict when it is already done."""
    with acting(actor, reason=reason):
        delivery = locks.row(Delivery, pk)
        require(actor, "outbox.delivery.retry", record=str(delivery))
        if delivery.state == Delivery.State.DONE:
            raise Conflict("It has been delivered", record=str(delivery))
        delivery.state = Delivery.State.PENDING
        delivery.attempts = 0
        delivery.due_at = clock.now()
        delivery.save(update_fields=["state", "attempts", "due_at"])
        return delivery
