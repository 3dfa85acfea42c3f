"""The business calendar."""

from __future__ import annotations

import datetime as dt

from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls.approvals.models import Holiday
from o2c.errors import Conflict


def add(*, day: dt.date, name: str, actor: Actor, reason: str = "") -> Holiday:
    """Let the clock of approvals stand still on a day. Clocks that run already keep their dates."""
    with acting(actor, reason=reason):
        require(actor, "approvals.calendar.maintain", record=str(day))
        if Holiday.objects.filter(day=day).exists():
            raise Conflict("It is a holiday already", record=str(day))
        return Holiday.objects.create(day=day, name=name)
