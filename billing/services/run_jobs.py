"""The two long acts of a run as a person asks for them: a job with progress, done by a worker."""

from __future__ import annotations

from billing.models import BillRun
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.errors import NotFound
from o2c.runtime import jobs

CALCULATE = "billing.run.calculate"
POST = "billing.run.post"


def calculate(pk: int, *, actor: Actor, reason: str = "") -> BillRun:
    """Queue the calculation of a run; a second request while it waits or runs is the same job."""
    return _queue(CALCULATE, "billing.run.calculate", pk, actor, reason)


def post(pk: int, *, actor: Actor, reason: str = "") -> BillRun:
    """Queue the posting of a released run, or its resumption."""
    return _queue(POST, "billing.run.post", pk, actor, reason)


def _queue(kind: str, duty: str, pk: int, actor: Actor, reason: str) -> BillRun:
    with acting(actor, reason=reason):
        require(actor, duty, record=f"run {pk}")
        run = BillRun.objects.filter(pk=pk).first()
        if run is None:
            raise NotFound(f"There is no bill run {pk}")
        jobs.enqueue(kind, {"run_id": pk, "reason": reason}, actor=actor, reason=reason, key=f"{kind}:{pk}")
        return run
