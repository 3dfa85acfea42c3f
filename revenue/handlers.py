"""How revenue answers what happens upstream."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from django.db import transaction

from billing.models import InvoiceLine
from o2c import outbox
from o2c.actor import current_actor
from o2c.audit.services import anchoring
from revenue.services import contracts


@outbox.consumer(
    "revenue.contracts", "orders.order.activated", "orders.order.amended", "orders.order.cancelled"
)
def build_contracts(events: Sequence[outbox.Event]) -> None:
    """An order became, or changed, a contract."""
    contracts.build({event.payload["order_id"] for event in events}, actor=current_actor())


@outbox.consumer(
    "revenue.credits",
    "billing.invoice.posted",
    "billing.credit_memo.posted",
    "billing.invoice.voided",
)
def adjust_prices(events: Sequence[outbox.Event]) -> None:
    """A document that is no bill of charges may change the price of a contract."""
    orders = (
        InvoiceLine.objects.filter(
            invoice__in={event.payload["invoice_id"] for event in events},
            kind__in=[InvoiceLine.Kind.CREDIT, InvoiceLine.Kind.MANUAL],
            proposal__isnull=True,
            order_line__isnull=False,
        )
        .values_list("order_line__order_id", flat=True)
        .distinct()
    )
    contracts.build(set(orders), actor=current_actor())


@outbox.consumer("revenue.anchors", "revenue.period.closed")
def anchor_the_close(events: Sequence[outbox.Event]) -> None:
    """What the books were when a month was locked is signed and put away outside the database."""
    for event in events:
        subject = f"revenue.closerun:{event.payload['close_id']}"
        # An anchor outlives whatever happens to this transaction. The next one makes up for a failure.
        transaction.on_commit(
            partial(anchoring.anchor, actor=current_actor(), subject=subject, reason="close"), robust=True
        )
