"""What the kernel itself contributes to home and sidebar."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from o2c.console.registry import Page, Queue, register
from o2c.outbox.models import Delivery
from o2c.runtime.models import Job

AREA = "System"


def _stuck(user: Any) -> QuerySet[Delivery]:
    return Delivery.objects.filter(state=Delivery.State.STUCK).select_related("event")


def _failed(user: Any) -> QuerySet[Job]:
    return Job.objects.filter(state=Job.State.FAILED).select_related("actor")


register(
    Queue(
        code="outbox.stuck",
        title="Events that are stuck",
        area=AREA,
        duty="outbox.delivery.retry",
        rows=_stuck,
        since="event__recorded_at",
        columns=["event", "attempts"],
        why=lambda d: d.error.strip().splitlines()[-1][:120] if d.error.strip() else "The consumer failed",
        act="retry",
        sla_hours=4,
        icon="bolt",
        empty="Every event has reached its consumers.",
    ),
    Queue(
        code="runtime.failed",
        title="Jobs that failed",
        area=AREA,
        duty="console.job.manage",
        rows=_failed,
        since="finished_at",
        owner="actor",
        columns=["kind"],
        why=lambda job: job.error.strip().splitlines()[-1][:120] if job.error.strip() else "It failed",
        act="again",
        sla_hours=8,
        icon="manufacturing",
        empty="No job has failed.",
    ),
    Page(
        "checks",
        "Checks",
        "Controls & audit",
        "admin:checks",
        icon="rule",
        duty="invariants.read",
        position=5,
    ),
)
