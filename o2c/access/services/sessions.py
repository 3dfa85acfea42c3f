"""Sign-ins that are ended: whoever is disabled is out at once, and does not come back with an old cookie."""

from __future__ import annotations

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session

from o2c import clock


def end_all(user_id: int) -> int:
    """Delete every session of this person; returns how many there were. One row a browser, so few to read."""
    live = Session.objects.filter(expire_date__gt=clock.now())
    own = [row.pk for row in live.iterator() if row.get_decoded().get(SESSION_KEY) == str(user_id)]
    Session.objects.filter(pk__in=own).delete()
    return len(own)
