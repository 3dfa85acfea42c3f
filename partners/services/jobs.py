"""Outward acts that a person starts from a page: they run as jobs, outside the page's transaction."""

from o2c.access import require
from o2c.actor import Actor
from o2c.runtime import jobs
from o2c.runtime.models import Job

METER_NOW = "partners.metering.now"


def meter_now(*, actor: Actor, reason: str = "") -> Job:
    """Ask for the hourly act now. AWS is called by a worker, never inside a page's transaction."""
    require(actor, "partners.metering.send")
    return jobs.enqueue(METER_NOW, actor=actor, reason=reason, key=METER_NOW)
