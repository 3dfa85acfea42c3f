"""The clock of approvals."""

from __future__ import annotations

from o2c import clock
from o2c.access.system import system_actor
from o2c.celery import app
from o2c.controls.approvals.services import timers


@app.task(name="o2c.approvals.tick")
def tick() -> int:
    """Remind, escalate, expire, ask again; returns how many requests expired or were asked again."""
    done = timers.tick(actor=system_actor(), now=clock.now())
    return done.expired + done.renewed
