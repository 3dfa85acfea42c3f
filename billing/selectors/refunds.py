"""Where a refund goes, beside where its money came from."""

from __future__ import annotations

from decimal import Decimal

from django.db import connection
from django.db.models import Q, QuerySet, Sum

from billing.models import Application, Invoice, Receipt, Refund

ZERO = Decimal(0)

# The receipts that refund `r` pays back: its own, or those that paid the invoice that its memo credits.
_PAID = """billing_receipt b WHERE (b.id = r.receipt_id OR b.id IN (
    SELECT a.receipt_id FROM billing_application a JOIN billing_invoice x ON x.corrects_id = a.invoice_id
    WHERE x.id = r.credit_memo_id AND a.kind = 'receipt' GROUP BY a.receipt_id HAVING sum(a.amount) > 0))"""

# Sealed values of one account are one text, so the database compares them without opening them.
PAYEE = f"""CASE
    WHEN r.method = 'card' AND EXISTS (
      SELECT FROM {_PAID} AND b.method = 'card' AND b.external_id = r.processor_reference) THEN 'same'
    WHEN r.method = 'card' THEN 'other'
    WHEN EXISTS (SELECT FROM {_PAID} AND b.payer_account = r.payee_account) THEN 'same'
    WHEN EXISTS (SELECT FROM {_PAID} AND b.payer_account <> '') THEN 'other'
    ELSE 'unknown' END"""  # noqa: S608  constants

PAYEE_TEXT = {
    "same": "where the money came from",
    "other": "not where the money came from",
    "unknown": "the bank did not say from which account it was paid",
}


def payee(refund: Refund) -> str:
    """'same', 'other' or 'unknown': the account that is paid, against that from which the money came."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {PAYEE} FROM billing_refund r WHERE r.id = %s", [refund.pk])  # noqa: S608
        return str(cursor.fetchone()[0])


def paid_by(source: Receipt | Invoice) -> list[Receipt]:
    """The receipts whose money a refund of this source pays back, the newest first."""
    if isinstance(source, Receipt):
        return [source]
    assert isinstance(source, Invoice)
    if source.corrects_id is None:
        return []
    rows = (
        Application.objects.filter(kind=Application.Kind.RECEIPT, invoice_id=source.corrects_id)
        .values("receipt_id")
        .annotate(paid=Sum("amount"))
        .filter(paid__gt=0)
    )
    found = Receipt.objects.filter(pk__in=[row["receipt_id"] for row in rows])
    return list(found.order_by("-received_on", "-pk"))


def refundable(source: Receipt | Invoice) -> Decimal:
    """What can be refunded of a receipt or a credit memo now, positive, in its currency.

    Of a credit memo at most what was paid for the invoice that it corrects: in money, or by other credit.
    """
    if isinstance(source, Receipt):
        return source.unapplied_amount
    assert isinstance(source, Invoice)
    left = -source.open_amount
    return left if source.corrects_id is None else min(left, max(came_in(source.corrects_id), ZERO))


def came_in(invoice_id: int) -> Decimal:
    """What was paid for an invoice, in money or by credit of other invoices, less what was refunded of it."""
    own = Q(credit_memo__corrects=invoice_id)
    settled = Application.objects.filter(
        Q(kind=Application.Kind.RECEIPT)
        | Q(kind=Application.Kind.CREDIT_MEMO) & (~own | Q(credit_memo__corrects=None)),
        invoice_id=invoice_id,
    )
    return _sum(settled) - refunded(invoice_id)


def refunded(invoice_id: int) -> Decimal:
    """What was paid back by the credit memos that correct an invoice."""
    return _sum(Application.objects.filter(kind=Application.Kind.REFUND, credit_memo__corrects=invoice_id))


def _sum(rows: QuerySet[Application]) -> Decimal:
    return rows.aggregate(total=Sum("amount"))["total"] or ZERO
