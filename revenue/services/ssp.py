"""Stand-alone selling prices: proposed by one person, approved by another."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from o2c import locks
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls import approvals
from o2c.controls.approvals.models import Request
from o2c.errors import Conflict, InvalidInput
from revenue.models import SspEntry


def propose(
    *,
    sku_id: int,
    currency: str,
    unit_amount: Decimal,
    effective_from: dt.date,
    evidence: str,
    actor: Actor,
    per: str = SspEntry.Per.MONTH,
    method: str = SspEntry.Method.OBSERVED,
    low: Decimal | None = None,
    high: Decimal | None = None,
    effective_to: dt.date | None = None,
    reason: str = "",
) -> SspEntry:
    """Propose what one unit of a SKU sells for by itself. It counts once somebody else approved it.

    Raises InvalidInput without evidence, or for a price outside its own range.
    """
    with acting(actor, reason=reason):
        require(actor, "revenue.ssp.propose", record=f"SKU {sku_id}")
        if not evidence.strip():
            raise InvalidInput("A stand-alone price names its evidence", record=f"SKU {sku_id}")
        if (low is not None and unit_amount < low) or (high is not None and unit_amount > high):
            raise InvalidInput(
                f"{unit_amount} is outside its range {low} to {high}",
                record=f"SKU {sku_id}",
                remedy="Correct the range or the price",
            )
        return SspEntry.objects.create(
            sku_id=sku_id,
            currency=currency,
            unit_amount=unit_amount,
            per=per,
            low=low,
            high=high,
            method=method,
            evidence=evidence.strip(),
            effective_from=effective_from,
            effective_to=effective_to,
            proposed_by_id=actor.user_id,
        )


def ask(pk: int, *, actor: Actor, reason: str = "") -> Request:
    """Ask those whom its policy wants to approve a proposed price that moves far."""
    return approvals.submit("revenue.ssp.approve", pk, actor=actor, reason=reason)


def approve(pk: int, *, actor: Actor, reason: str = "") -> SspEntry:
    """Approve a price: contracts and changes from its first day on are allocated by it.

    An open price that it follows ends where it begins. Versions that were allocated before stay as they
    are. Raises Conflict for one's own proposal, and for one that is approved.
    """
    with acting(actor, reason=reason):
        entry = locks.row(SspEntry, pk)
        require(actor, "revenue.ssp.approve", record=str(entry))
        if entry.proposed_by_id == actor.user_id:
            raise Conflict("Who proposed the price does not approve it", record=str(entry))
        if entry.approved_by_id is not None:
            raise Conflict("It is approved already", record=str(entry))
        before = (
            SspEntry.objects.select_for_update()
            .filter(
                sku=entry.sku_id,
                currency=entry.currency,
                approved_by__isnull=False,
                effective_to__isnull=True,
                effective_from__lt=entry.effective_from,
            )
            .first()
        )
        if before is not None:
            before.effective_to = entry.effective_from
            before.save()
        approvals.gate("revenue.ssp.approve", [pk])
        entry.approved_by_id = actor.user_id
        entry.save()
        return entry
