"""What the segregation of duties does by the clock."""

from __future__ import annotations

from o2c.access.system import system_actor
from o2c.celery import app
from o2c.controls.sod.services import reviews


@app.task(name="o2c.sod.lapse_reviews")
def lapse_reviews() -> int:
    """Revoke what reviews past their deadline left undecided; returns how many grants ended."""
    return reviews.lapse_due(actor=system_actor("scheduler"), reason="Nobody decided before the deadline")
