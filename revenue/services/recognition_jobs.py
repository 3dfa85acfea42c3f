"""Recognising a month as a person asks for it: a job with progress, done by a worker."""

from __future__ import annotations

from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import ClosedPeriod, NotFound
from o2c.ledger.models import AccountingPeriod
from o2c.runtime import jobs
from o2c.runtime.models import Job

RECOGNISE = "revenue.recognise"


def request(*, period_id: int, actor: Actor, reason: str = "") -> Job:
    """Queue the recognition of a period; a second request while it waits or runs is the same job."""
    with acting(actor, reason=reason):
        require(actor, "revenue.recognition.run", record=f"period {period_id}")
        period = AccountingPeriod.objects.filter(pk=period_id).first()
        if period is None:
            raise NotFound("There is no such accounting period", record=f"period {period_id}")
        if period.state == AccountingPeriod.State.CLOSED:
            raise ClosedPeriod("Its revenue is settled", record=str(period))
        return jobs.enqueue(
            RECOGNISE,
            {"entity_id": period.entity_id, "period": period.name, "reason": reason},
            actor=actor,
            reason=reason,
            key=f"{RECOGNISE}:{period_id}",
        )
