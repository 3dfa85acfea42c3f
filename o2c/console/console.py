"""What the kernel itself contributes to home and sidebar."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet, Sum
from django.urls import reverse

from o2c import clock
from o2c.console import format as fmt
from o2c.console.registry import Kpi, KpiValue, Page, Queue, QuickLink, register
from o2c.invariants import all_invariants
from o2c.invariants.models import InvariantResult
from o2c.ledger.models import AccountingPeriod, Journal, JournalLine
from o2c.outbox.models import Delivery
from o2c.runtime.models import Job

AREA = "System"
OVERSEERS = ("auditor", "controller")


def _stuck(user: Any) -> QuerySet[Delivery]:
    return Delivery.objects.filter(state=Delivery.State.STUCK).select_related("event")


def _failed(user: Any) -> QuerySet[Job]:
    return Job.objects.filter(state=Job.State.FAILED).select_related("actor")


def _checks() -> KpiValue:
    """What each check said when it was last asked."""
    declared = {invariant.code for invariant in all_invariants()}
    latest = (
        InvariantResult.objects.order_by("code", "-id").distinct("code").values_list("code", "violations")
    )
    said = {code: violations for code, violations in latest if code in declared}
    failing = sum(1 for violations in said.values() if violations != 0)
    never = len(declared) - len(said)
    return KpiValue(
        text=f"{len(said) - failing} of {len(declared)} pass",
        note=f"{never} were never asked" if never else "when each was last asked",
        good=False if failing else None if never else True,
        href=reverse("admin:checks"),
    )


def _books() -> KpiValue:
    """Debits against credits of all journals, in the currencies of the entities."""
    difference = JournalLine.objects.aggregate(
        d=Sum("functional_debit", default=0) - Sum("functional_credit", default=0)
    )["d"]
    return KpiValue(
        text=f"{Journal.objects.count():,} journals",
        note=f"debits less credits: {fmt.plain_number(difference)}",
        good=difference == 0,
        href=fmt.list_url(Journal),
    )


def _periods() -> KpiValue:
    over = AccountingPeriod.objects.filter(ends_on__lte=clock.today(), journals__isnull=False).distinct()
    closed = over.filter(state=AccountingPeriod.State.CLOSED).count()
    return KpiValue(
        text=f"{closed} of {over.count()} closed",
        note="months that are over and have journals",
        good=closed == over.count(),
        href=fmt.list_url(AccountingPeriod),
    )


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
    Kpi(
        code="console.checks",
        title="Checks",
        value=_checks,
        roles=(*OVERSEERS, "admin"),
        definition="Queries that must return no row.",
        priority=1,
    ),
    Kpi(code="console.books", title="Journals", value=_books, roles=OVERSEERS, priority=2, seconds=300),
    Kpi(code="console.periods", title="Months of the books", value=_periods, roles=OVERSEERS, priority=3),
    QuickLink(
        "console.checks", "Checks", "admin:checks", roles=("auditor", "admin"), icon="rule", position=5
    ),
    QuickLink(
        "console.journals",
        "Journals",
        "admin:ledger_journal_changelist",
        roles=("auditor",),
        icon="menu_book",
        position=30,
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
