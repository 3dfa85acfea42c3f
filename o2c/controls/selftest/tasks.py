"""The nightly self-test."""

from __future__ import annotations

from celery.utils.log import get_task_logger

from o2c.actor import current_actor
from o2c.celery import app
from o2c.controls.selftest import services

log = get_task_logger(__name__)


@app.task(name="o2c.selftest.nightly")
def nightly() -> dict[str, int]:
    """Try every forbidden act; one that gets through is an error in the log, which alerts listen to."""
    run = services.run(actor=current_actor(), reason="nightly self-test", trigger="nightly")
    for finding in run.findings:
        log.error("control fails: %s", finding)
    return {"tried": run.tried, "through": run.through, "blocked": run.blocked}
