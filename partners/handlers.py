"""How partners answers events of the other apps."""

from collections.abc import Sequence
from datetime import UTC, datetime, time

from o2c import outbox
from o2c.actor import current_actor
from orders.models import Order
from partners.models import AwsAgreement
from partners.services import agreements


@outbox.consumer("partners.agreements", "orders.order.cancelled")
def end_agreements(events: Sequence[outbox.Event]) -> None:
    """A cancelled order is no longer metered from the day it is no longer served."""
    orders = [event.payload["order_id"] for event in events]
    for agreement in AwsAgreement.objects.filter(
        order_id__in=orders, state=AwsAgreement.State.ACTIVE, order__cancelled_on__isnull=False
    ).select_related("order"):
        ends = _midnight(agreement.order)
        assert agreement.started_at is not None
        agreements.end(
            agreement.pk,
            actor=current_actor(),
            reason=f"order {agreement.order.number} was cancelled",
            as_of=max(ends, agreement.started_at),
        )


def _midnight(order: Order) -> datetime:
    assert order.cancelled_on is not None
    return datetime.combine(order.cancelled_on, time(), UTC)
