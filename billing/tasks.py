"""Work of billing that nobody waits for: jobs of a run, sending, sweeping, reminders."""

from __future__ import annotations

from django.db.models import Q

from billing.models import Receipt
from billing.services import (
    applications,
    collections,
    delivery,
    grants,
    rerating,
    run_jobs,
    runs,
    thresholds,
)
from o2c import clock
from o2c.access.system import system_actor
from o2c.actor import current_actor
from o2c.celery import app
from o2c.errors import Conflict
from o2c.runtime import jobs


@jobs.kind(run_jobs.CALCULATE, label="Calculate a bill run")
def calculate_run(job: jobs.Running) -> None:
    job.progress(0, None, phase="Calculating")
    run = runs.calculate(
        job.arguments["run_id"],
        actor=current_actor(),
        reason=job.arguments.get("reason", ""),
        progress=job.progress,
    )
    job.count(invoices=run.invoices.count(), findings=run.findings.count())


@jobs.kind(run_jobs.POST, label="Post a bill run")
def post_run(job: jobs.Running) -> None:
    job.progress(0, None, phase="Posting")
    run = runs.post(
        job.arguments["run_id"],
        actor=current_actor(),
        reason=job.arguments.get("reason", ""),
        progress=job.progress,
    )
    job.count(invoices=run.invoices.count())


@app.task(name="billing.send_documents")
def send_documents() -> int:
    """Send what is queued, a batch at a time, until nothing is due."""
    total = 0
    while True:
        sent, failed = delivery.send_due(actor=system_actor())
        total += sent
        if not sent and not failed:
            return total


@app.task(name="billing.sweep_deliveries")
def sweep_deliveries() -> int:
    """Find messages whose worker died, and send what lost its task."""
    lost = delivery.sweep(actor=system_actor())
    if delivery.due(1):
        send_documents.delay()
    return lost


@app.task(name="billing.match_receipts")
def match_receipts() -> int:
    """Apply the receipts whose payment reference leaves no doubt; how many."""
    waiting = Receipt.objects.unapplied().filter(~Q(reference=""), customer__isnull=False, applied=0)
    applied = 0
    for receipt in waiting.order_by("pk"):
        try:
            applied += bool(
                applications.apply_proposal(
                    receipt.pk, applied_on=clock.today(), actor=system_actor(), reason="Reference"
                )
            )
        except Conflict:
            continue  # somebody was first
    return applied


@app.task(name="billing.bill_thresholds")
def bill_thresholds() -> int:
    """Early invoices for unbilled usage that reached a threshold, ready for release; how many runs."""
    return len(thresholds.bill(clock.today(), actor=system_actor()))


@app.task(name="billing.expire_grants")
def expire_grants() -> int:
    """Settle credit that ended and that no unbilled usage waits for."""
    return grants.expire(clock.today(), actor=system_actor())


@app.task(name="billing.remind")
def remind() -> int:
    """A round of reminders, as of today."""
    return collections.remind(as_of=clock.today(), actor=system_actor()).sent


@app.task(name="billing.compare_contracts")
def compare_contracts() -> int:
    """Rate every open contract again, as of today; how many billed periods would change."""
    return rerating.rerate(as_of=clock.today(), actor=system_actor()).diverging
