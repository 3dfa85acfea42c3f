"""What revenue publishes. Payloads carry ids; consumers read the rest."""

from __future__ import annotations

from o2c import outbox

CONTRACT_BUILT = "revenue.contract.built"
RECOGNISED = "revenue.period.recognised"
CLOSED = "revenue.period.closed"
REOPENED = "revenue.period.reopened"
EXPORTED = "revenue.export.built"


def contracts_built(versions: list[tuple[int, int]]) -> None:
    """One event a new version: (contract, number)."""
    outbox.publish_many(
        [
            (CONTRACT_BUILT, f"revenue.revenuecontract:{pk}", {"contract_id": pk, "version": number})
            for pk, number in versions
        ]
    )


def period_event(type: str, period_id: int, **payload: object) -> None:
    outbox.publish(
        type=type,
        aggregate=f"ledger.accountingperiod:{period_id}",
        payload={"period_id": period_id, **payload},
    )


def export_built(export_id: int) -> None:
    outbox.publish(type=EXPORTED, aggregate=f"revenue.glexport:{export_id}", payload={"export_id": export_id})
