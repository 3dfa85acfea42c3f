"""Queues and figures of segregation of duties."""

from __future__ import annotations

import datetime as dt

from o2c import clock
from o2c.console.registry import Kpi, KpiValue, Page, Queue, register
from o2c.controls.sod.admin import AREA
from o2c.controls.sod.models import Denial, ReviewItem, SodException

WEEK = dt.timedelta(days=7)


def _denials() -> KpiValue:
    count = Denial.objects.filter(at__gte=clock.now() - WEEK, code="segregation").count()
    return KpiValue(str(count), good=count == 0)


register(
    Queue(
        code="sod.exception.decide",
        title="Exceptions to decide",
        area=AREA,
        rows=lambda user: SodException.objects.filter(state="requested").select_related("rule", "user"),
        duty="sod.exception.decide",
        columns=("user", "mitigation", "valid_to"),
        why=lambda row: row.reason,
        sla_hours=48,
        icon="gavel",
    ),
    Queue(
        code="sod.review.decide",
        title="Access to review",
        area=AREA,
        rows=lambda user: (
            ReviewItem.objects.filter(state="pending", campaign__state="open")
            .exclude(user=user)
            .select_related("campaign", "user")
        ),
        duty="sod.review.decide",
        since="campaign__taken_at",
        columns=("role", "last_done_at", "last_used_at", "conflicts"),
        why="Held now; nobody has said yet that it is needed",
        act="keep",
        sla_hours=14 * 24,
        icon="fact_check",
    ),
    Kpi(
        code="sod.denials",
        title="Refused by a rule this week",
        value=_denials,
        roles=("controller", "auditor", "admin"),
        duty="sod.exception.decide",
        definition="Attempts of the last seven days that a segregation rule refused.",
    ),
    Page(
        code="sod.what_if",
        title="What would a grant allow?",
        area=AREA,
        url="admin:sod_what_if",
        icon="help",
        duty="sod.read",
        position=12,
    ),
    Page(
        code="sod.did_both",
        title="Who did both?",
        area=AREA,
        url="admin:sod_did_both",
        icon="policy",
        duty="sod.read",
        position=14,
    ),
)
