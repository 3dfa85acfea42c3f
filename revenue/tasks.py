"""Work of revenue that nobody waits for: recognition as a job, and the catch-up of missed contracts."""

from __future__ import annotations

from o2c.access.system import system_actor
from o2c.actor import current_actor
from o2c.celery import app
from o2c.runtime import jobs
from orders.models import Order
from revenue.models import Recognition
from revenue.services import contracts, recognition
from revenue.services.recognition_jobs import RECOGNISE


@jobs.kind(RECOGNISE, label="Recognise the revenue of a month")
def recognise(job: jobs.Running) -> None:
    """arguments: entity_id, period ("2026-08")."""
    job.progress(0, None, phase="Recognising")
    run = recognition.run(
        job.arguments["entity_id"],
        job.arguments["period"],
        actor=current_actor(),
        reason=job.arguments.get("reason", ""),
        progress=job.progress,
    )
    job.count(slices=Recognition.objects.filter(run=run).count())


@app.task(name="revenue.build_missing")
def build_missing() -> int:
    """Build the contracts of active orders that have none; events do this at once, this finds the rest."""
    missing = Order.objects.filter(activated_on__isnull=False, revenue_contract__isnull=True)
    return contracts.build(list(missing.values_list("pk", flat=True)), actor=system_actor())
