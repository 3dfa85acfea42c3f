"""What the clock does for partners: freeze, send, post, reconcile. Every task may run twice."""

from o2c import clock
from o2c.actor import current_actor
from o2c.celery import app
from o2c.runtime import jobs
from partners.aws.connection import connect
from partners.models import Channel
from partners.services import metering, reconcile, sending, settlement
from partners.services.jobs import METER_NOW


@app.task(name="partners.metering.hourly")
def meter() -> dict[str, int]:
    """Freeze the hours that closed and send what is unsent. Also the sweeper: it runs every 15 minutes."""
    now = clock.now()
    frozen = metering.freeze_due(as_of=now, actor=current_actor())
    if not sending.anything_unsent():
        return {"frozen": frozen}
    # Without an answer of AWS the hours stay unsent, the reconciliation alarms, the next run tries again.
    sent = sending.send_due(as_of=now, client=connect(), actor=current_actor())
    return {"frozen": frozen, "accepted": sent.accepted, "held": sent.held, "lost": sent.lost}


@app.task(name="partners.reconciliation.daily")
def reconcile_channels() -> int:
    """Post what the feeds brought and compare every leg; returns the number of legs that differ."""
    now = clock.now()
    differing = 0
    for channel in Channel.objects.filter(active=True).order_by("pk"):
        settlement.post(channel, as_of=now.date(), actor=current_actor())
        runs = reconcile.run(channel, as_of=now, actor=current_actor())
        differing += sum(1 for run in runs if run.differing)
    return differing


@jobs.kind(METER_NOW, label="Freeze and send usage hours")
def run_metering(job: jobs.Running) -> None:
    """The hourly act in the name of who asked; what AWS does not answer waits for the next run."""
    now = clock.now()
    job.count(frozen=metering.freeze_due(as_of=now, actor=current_actor()))
    if sending.anything_unsent():
        sent = sending.send_due(as_of=now, client=connect(), actor=current_actor())
        job.count(accepted=sent.accepted, held=sent.held, lost=sent.lost)
