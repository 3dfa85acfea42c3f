"""Tasks and job kinds that leave traces, for tests that start real workers (`-I tests.runtime.probes`)."""

from __future__ import annotations

import time

from django.db import transaction

from o2c.actor import current_actor
from o2c.celery import app
from o2c.runtime import jobs
from o2c.runtime.signals_of_life import beat


@app.task(name="tests.leave_trace")
def leave_trace(number: int, seconds: float = 0) -> None:
    """Works for a while, then leaves a row that says who did it."""
    time.sleep(seconds)
    beat(f"trace:{number}", actor=current_actor().label)


@jobs.kind("tests.count_to", label="Count")
def count_to(job: jobs.Running) -> None:
    """Counts from where it was interrupted to `goal`, `seconds` for each."""
    goal = job.arguments["goal"]
    start = job.cursor.get("done", 0)
    for number in range(start, goal):
        time.sleep(job.arguments.get("seconds", 0))
        with transaction.atomic():
            beat(f"count:{number}", actor=current_actor().label, attempt=job.row.attempts)
            job.count(counted=1)
            job.save_cursor(done=number + 1)
        job.progress(number + 1, goal)


@jobs.kind("tests.fail", label="Fail", attempts=2)
def fail(job: jobs.Running) -> None:
    job.progress(1, 3, phase="About to fail")
    raise RuntimeError("the printer is on fire")
