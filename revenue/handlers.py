"""How revenue answers what happens upstream."""

from __future__ import annotations

from collections.abc import Sequence

from billing.models import InvoiceLine
from o2c import outbox
from o2c.actor import current_actor
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
