"""What waits: emergency access to open, and to review."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from o2c.console.registry import Queue, register
from o2c.controls.breakglass.models import Session


def _asked(user: Any) -> QuerySet[Session]:
    return Session.objects.filter(state=Session.State.REQUESTED).exclude(user=user.pk).select_related("user")


def _unreviewed(user: Any) -> QuerySet[Session]:
    rows = Session.objects.unreviewed().exclude(user=user.pk).exclude(authorised_by=user.pk)
    return rows.select_related("user")


register(
    Queue(
        code="breakglass.asked",
        title="Emergency access asked for",
        area="Segregation of duties",
        duty="breakglass.session.authorise",
        rows=_asked,
        since="created_at",
        owner="user",
        columns=["ticket", "hours", "duties"],
        why=lambda row: str(row.reason),
        act="authorise",
        sla_hours=1,
        icon="emergency",
        empty="Nobody asks for emergency access.",
        priority=3,
    ),
    Queue(
        code="breakglass.unreviewed",
        title="Emergency access to review",
        area="Segregation of duties",
        duty="breakglass.session.review",
        rows=_unreviewed,
        since="opened_at",
        owner="user",
        columns=["ticket", "ends_at", "review_due_at"],
        why=lambda row: str(row.reason),
        act="review",
        sla_hours=40,
        icon="fact_check",
        empty="Everything is reviewed.",
        priority=8,
    ),
)
