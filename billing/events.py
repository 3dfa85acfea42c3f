"""What billing publishes. Payloads carry ids; consumers read the rest."""

from __future__ import annotations

from collections.abc import Iterable

from o2c import outbox

INVOICE_POSTED = "billing.invoice.posted"
INVOICE_VOIDED = "billing.invoice.voided"
CREDIT_MEMO_POSTED = "billing.credit_memo.posted"
RUN_POSTED = "billing.run.posted"
RECEIPT_RECORDED = "billing.receipt.recorded"
RECEIPT_APPLIED = "billing.receipt.applied"
RECEIPT_UNAPPLIED = "billing.receipt.unapplied"
RECEIPT_REVERSED = "billing.receipt.reversed"
REFUND_RELEASED = "billing.refund.released"
REFUND_PAID = "billing.refund.paid"
REFUND_FAILED = "billing.refund.failed"
INVOICE_SETTLED_SHORT = "billing.invoice.settled_short"
DISPUTE_OPENED = "billing.dispute.opened"
DISPUTE_RESOLVED = "billing.dispute.resolved"
GRANT_OPENED = "billing.grant.opened"
GRANT_EXPIRED = "billing.grant.expired"


def documents_posted(documents: Iterable[tuple[int, bool]]) -> None:
    """One event a document: (id, whether it is a credit memo)."""
    outbox.publish_many(
        [
            (
                CREDIT_MEMO_POSTED if credits else INVOICE_POSTED,
                f"billing.invoice:{pk}",
                {"invoice_id": pk},
            )
            for pk, credits in documents
        ]
    )


def invoice_event(type: str, invoice_id: int, **payload: object) -> None:
    outbox.publish(
        type=type, aggregate=f"billing.invoice:{invoice_id}", payload={"invoice_id": invoice_id, **payload}
    )


def receipt_event(type: str, receipt_id: int, **payload: object) -> None:
    outbox.publish(
        type=type, aggregate=f"billing.receipt:{receipt_id}", payload={"receipt_id": receipt_id, **payload}
    )


def refund_event(type: str, refund_id: int) -> None:
    outbox.publish(type=type, aggregate=f"billing.refund:{refund_id}", payload={"refund_id": refund_id})


def run_event(type: str, run_id: int) -> None:
    outbox.publish(type=type, aggregate=f"billing.billrun:{run_id}", payload={"run_id": run_id})


def grant_events(type: str, grant_ids: Iterable[int]) -> None:
    outbox.publish_many([(type, f"billing.grant:{pk}", {"grant_id": pk}) for pk in grant_ids])
