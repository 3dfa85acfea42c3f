"""The nightly check."""

from __future__ import annotations

from celery.utils.log import get_task_logger

from o2c.actor import current_actor
from o2c.celery import app
from o2c.invariants import services

log = get_task_logger(__name__)


@app.task(name="o2c.invariants.nightly")  # type: ignore[untyped-decorator]
def nightly() -> dict[str, int]:
    """Ask every invariant and keep the answers; a failing one is an error in the log,
    which alerts listen to.
    """
    run = services.run(actor=current_actor(), reason="nightly check", trigger="nightly")
    for result in run.results.exclude(violations=0):
        log.error("invariant %s fails: %s rows %s", result.code, result.violations, result.error)
    return {"checked": run.checked, "failing": run.failing}
