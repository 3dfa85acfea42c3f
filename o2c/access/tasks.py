"""What access does by the clock."""

from __future__ import annotations

from o2c.access.services import grants
from o2c.access.system import system_actor
from o2c.celery import app


@app.task(name="o2c.access.end_grants_of_leavers")
def end_grants_of_leavers() -> int:
    """End what people held who left a day ago; returns how many grants ended."""
    return grants.end_of_leavers(actor=system_actor("scheduler"), reason="Disabled for a day")
