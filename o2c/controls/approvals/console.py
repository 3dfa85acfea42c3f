"""What waits for me: requests that I may decide, and those that I asked for."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from o2c.console.registry import Queue, register
from o2c.controls.approvals import registry
from o2c.controls.approvals.models import Request
from o2c.controls.approvals.selectors.inbox import inbox


def _waiting(user: Any) -> QuerySet[Request]:
    return inbox(user).select_related("requested_by", "policy")


def _mine(user: Any) -> QuerySet[Request]:
    return Request.objects.filter(requested_by=user.pk, state__in=Request.LIVE).select_related("requested_by")


def _why(request: Request) -> str:
    return f"{registry.act(request.act).label}: {request.reason}"


def _kind(code: str) -> str:
    return registry.act(code).label


register(
    Queue(
        code="approvals.inbox",
        title="Approvals that wait for me",
        area="Approvals",
        duty="approvals.request.decide",
        rows=_waiting,
        since="submitted_at",
        amount="amount",
        owner="requested_by",
        by="act",
        by_name=_kind,
        why=_why,
        act="approve_alike",
        sla_hours=24,
        icon="approval",
        empty="Nothing waits for your decision.",
        priority=5,
    ),
    Queue(
        code="approvals.mine",
        title="What I asked for",
        area="Approvals",
        duty="approvals.request.submit",
        rows=_mine,
        since="submitted_at",
        amount="amount",
        columns=["state", "problem"],
        why=_why,
        icon="hourglass_top",
        empty="You wait for nobody's decision.",
        priority=60,
    ),
)
