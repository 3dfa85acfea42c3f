"""The runtime's own tasks: start a job, send again what was lost, forget what is long over."""

from __future__ import annotations

import datetime as dt

from o2c import clock
from o2c.celery import app
from o2c.runtime import jobs
from o2c.runtime.models import Heartbeat, Job

KEEP_JOBS = dt.timedelta(days=90)
KEEP_HEARTBEATS = dt.timedelta(days=1)


@app.task(name="o2c.runtime.run_job")
def run_job(job_id: int) -> str:
    """Run one job. A second message for the same job finds it taken or done and does nothing."""
    return str(jobs.run(job_id).state)


@app.task(name="o2c.runtime.sweep")
def sweep() -> int:
    """Send the jobs that ought to be running and aren't: whatever lost their message, this finds them."""
    due = jobs.due(clock.now())
    for job_id in due:
        run_job.delay(job_id)
    return len(due)


@app.task(name="o2c.runtime.forget")
def forget() -> int:
    """Delete records of jobs that ended long ago, and of components that are gone."""
    now = clock.now()
    deleted, _ = Job.objects.filter(finished_at__lt=now - KEEP_JOBS).delete()
    Heartbeat.objects.filter(at__lt=now - KEEP_HEARTBEATS).delete()
    return deleted
