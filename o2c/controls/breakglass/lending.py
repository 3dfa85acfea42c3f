"""What open sessions lend, and the note of every use: one for each duty, record and transaction."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Func, QuerySet

from o2c import clock
from o2c.actor import Actor, acting


def lent(user_id: int) -> QuerySet[Any, tuple[str, int]]:
    """(duty, session) of what is open for this person now."""
    from o2c.controls.breakglass.models import Session

    now = clock.now()
    rows = Session.objects.filter(
        user_id=user_id, user__is_active=True, state=Session.State.OPEN, opened_at__lte=now, ends_at__gt=now
    )
    return rows.order_by().values_list(Func(F("duties"), function="unnest"), "pk")


def note_use(actor: Actor, session: int, duty: str, record: str) -> None:
    """Called when a duty is used that only a session gives."""
    from o2c.controls.breakglass.models import Use

    with acting(actor, reason=f"emergency access BG-{session:06d}"):
        Use.objects.create(session_id=session, duty=duty, record=record[:300])
