"""Invoices that a marketplace collects for us: settled by what its settlement feed says.

The buyer owes the marketplace and the marketplace owes us, so neither a receipt nor a reminder of ours has
a part in it. The caller posts the journal (fee or payment against 1105, with the invoice as reference) in
the same transaction; here the invoice learns what is no longer open.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from billing.models import Application, Invoice
from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import Conflict
from o2c.money import quantize


def open_amounts(invoice_ids: Sequence[int]) -> dict[int, Decimal]:
    """What is open of these posted invoices. They stay locked until the transaction ends."""
    return {
        invoice.pk: invoice.open_amount
        for invoice in locks.rows(Invoice, invoice_ids)
        if invoice.state == Invoice.State.POSTED and invoice.kind != Invoice.Kind.CREDIT_MEMO
    }


def settle(
    parts: Sequence[tuple[int, Decimal]], *, applied_on: dt.date, note: str, actor: Actor, reason: str = ""
) -> list[Application]:
    """Settle invoices by (id, amount), in the order given. `note` names the marketplace's event.

    Raises Conflict for an invoice that no marketplace collects, or of which less is open.
    """
    with acting(actor, reason=reason):
        require(actor, "billing.marketplace.settle", record=note)
        invoices = {row.pk: row for row in locks.rows(Invoice, [pk for pk, _ in parts])}
        for pk, amount in parts:
            invoice = invoices[pk]
            if invoice.channel == Invoice.Channel.DIRECT:
                raise Conflict("No marketplace collects it", record=str(invoice))
            if not 0 < amount <= invoice.open_amount or amount != quantize(amount, invoice.currency):
                raise Conflict(
                    f"{amount} {invoice.currency} would be settled and {invoice.open_amount} is open",
                    record=str(invoice),
                )
        return Application.objects.bulk_create(
            Application(
                kind=Application.Kind.MARKETPLACE,
                invoice_id=pk,
                amount=amount,
                applied_on=applied_on,
                note=note[:300],
                matched_by=Application.MatchedBy.REFERENCE,
            )
            for pk, amount in parts
        )


def unsettle(
    application_ids: Sequence[int], *, on: dt.date, note: str, actor: Actor, reason: str = ""
) -> list[Application]:
    """Undo settlements whose payment the bank returned. Raises Conflict for one that is undone already."""
    with acting(actor, reason=reason):
        require(actor, "billing.marketplace.settle", record=note)
        known = list(
            Application.objects.filter(
                pk__in=application_ids, kind=Application.Kind.MARKETPLACE, reverses__isnull=True
            ).order_by("pk")
        )
        locks.rows(Invoice, [row.invoice_id for row in known if row.invoice_id])
        if Application.objects.filter(reverses__in=known).exists():
            raise Conflict("A settlement is undone already", record=note)
        return Application.objects.bulk_create(
            Application(
                kind=Application.Kind.MARKETPLACE,
                invoice_id=row.invoice_id,
                amount=-row.amount,
                applied_on=on,
                note=note[:300],
                matched_by=Application.MatchedBy.REFERENCE,
                reverses=row,
            )
            for row in known
        )
