"""Refused attempts are remembered: who tried what, on which record, and why it was refused."""

from __future__ import annotations

from o2c import clock
from o2c.actor import Trace, acting
from o2c.errors import NotAuthorised


def record(trace: Trace, error: NotAuthorised) -> None:
    """Called by `acting` once the refused transaction is undone; a surrounding one that is undone too calls
    again, so that exactly one row stays.
    """
    from o2c.controls.sod.models import Denial

    rule = error.message[:3] if error.code == "segregation" else ""
    with acting(trace.actor, reason="refused attempt"):
        Denial.objects.create(
            at=clock.now(),
            actor_label=trace.actor.label[:320],
            on_behalf_of_id=trace.actor.on_behalf_of_id,
            code=error.code[:40],
            rule=rule,
            record=error.record[:300],
            message=error.message,
            reason=trace.reason,
            request_id=trace.request_id[:200],
        )
