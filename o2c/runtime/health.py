"""Is it alive, is it ready, and is work getting done?

Each check is a small query with a bound; together they answer within milliseconds. "Work getting done" is
measured where it matters: the age of the oldest event that nobody has delivered, the scheduler's last tick,
the workers' last signs of life, the jobs that ought to run and don't.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min

from o2c import clock
from o2c.runtime.models import Heartbeat, Job

OUTBOX_SECONDS = 300
BEAT_SECONDS = 60
WORKER_SECONDS = 60
JOB_SECONDS = 180
SELFTEST_SECONDS = 36 * 3600
SEAL_SECONDS = 60
ANCHOR_SECONDS = 1800
APPROVALS_SECONDS = 300
APPROVALS = "approvals.timer"
SEALER = "audit.sealer"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw. `seconds` is an age where the check is about one, else None."""

    name: str
    well: bool
    detail: str
    seconds: float | None = None


def _age(
    name: str, since: dt.datetime | None, limit: int, *, what: str, none: str, none_is_well: bool
) -> Finding:
    if since is None:
        return Finding(name, none_is_well, none, 0.0 if none_is_well else None)
    seconds = max(0.0, (clock.now() - since).total_seconds())
    return Finding(name, seconds <= limit, f"{what} {seconds:.0f} s ago (limit {limit} s)", seconds)


def database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_setting('server_version')")
        user, version = cursor.fetchone()
    return Finding("database", True, f"PostgreSQL {version}, connected as {user}")


def migrations() -> Finding:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    names = ", ".join(str(migration) for migration, _ in missing[:3])
    return Finding(
        "migrations", not missing, f"{len(missing)} not applied: {names}" if missing else "all applied"
    )


def outbox() -> Finding:
    """The oldest event that is due and undelivered, and the ones that failed for good."""
    delivery = apps.get_model("outbox", "Delivery")
    oldest = delivery.objects.filter(state="pending", due_at__lte=clock.now()).aggregate(at=Min("due_at"))[
        "at"
    ]
    stuck = delivery.objects.filter(state="stuck").count()
    finding = _age("outbox", oldest, OUTBOX_SECONDS, what="oldest due", none="nothing due", none_is_well=True)
    if stuck:
        return Finding("outbox", False, f"{stuck} deliveries given up; {finding.detail}", finding.seconds)
    return finding


def scheduler() -> Finding:
    last = Heartbeat.objects.filter(component="beat").aggregate(at=Min("at"))["at"]
    return _age("scheduler", last, BEAT_SECONDS, what="ticked", none="never ticked", none_is_well=False)


def workers() -> Finding:
    """Well when at least one worker lives; a name that stopped is forgotten after a day."""
    seen = Heartbeat.objects.filter(component__startswith="worker:").order_by("-at")
    last = seen.values_list("at", flat=True).first()
    finding = _age("workers", last, WORKER_SECONDS, what="last seen", none="none seen", none_is_well=False)
    alive = seen.filter(at__gte=clock.now() - dt.timedelta(seconds=WORKER_SECONDS)).count()
    return Finding("workers", finding.well, f"{alive} alive, {finding.detail}", finding.seconds)


def jobs() -> Finding:
    """Jobs that ought to be running and aren't."""
    now = clock.now()
    waiting = Job.objects.filter(state=Job.State.QUEUED, due_at__lte=now).aggregate(at=Min("due_at"))["at"]
    left = Job.objects.filter(state=Job.State.RUNNING, leased_until__lt=now).count()
    finding = _age("jobs", waiting, JOB_SECONDS, what="oldest due", none="none waits", none_is_well=True)
    if left:
        return Finding(
            "jobs", finding.well, f"{left} left by dead workers; {finding.detail}", finding.seconds
        )
    return finding


def controls() -> Finding:
    """What the last self-test of the controls found, and how long ago."""
    last = apps.get_model("selftest", "SelftestRun").objects.filter(only="").first()
    finding = _age(
        "controls",
        last.started_at if last else None,
        SELFTEST_SECONDS,
        what="tried",
        none="not tried yet",
        none_is_well=True,
    )
    if last is not None and not last.holds:
        return Finding(
            "controls",
            False,
            f"{last.through} forbidden acts got through; {finding.detail}",
            finding.seconds,
        )
    return finding


def approvals() -> Finding:
    """Whether the clock runs that reminds, escalates and lets requests expire."""
    last = Heartbeat.objects.filter(component=APPROVALS).aggregate(at=Min("at"))["at"]
    waiting = apps.get_model("approvals", "Request").objects.filter(state="open").exists()
    return _age(
        "approvals", last, APPROVALS_SECONDS, what="clock ran", none="never ran", none_is_well=not waiting
    )


def seals() -> Finding:
    """How long the oldest change waits for its seal, and whether the sealer runs at all."""
    from o2c.audit.services import sealing

    last = Heartbeat.objects.filter(component=SEALER).aggregate(at=Min("at"))["at"]
    waiting = sealing.pending()
    finding = _age("seals", last, SEAL_SECONDS, what="sealer ran", none="never ran", none_is_well=False)
    detail = f"pending {waiting.count}, oldest {waiting.oldest_seconds:.0f} s; {finding.detail}"
    well = waiting.oldest_seconds <= SEAL_SECONDS and (finding.well or not waiting.count)
    return Finding("seals", well, detail, waiting.oldest_seconds)


def anchors() -> Finding:
    """The newest signed copy of the chain outside the database, while there is anything to sign."""
    Block, Anchor = apps.get_model("audit", "Block"), apps.get_model("audit", "Anchor")
    head, last = Block.objects.order_by("-n").first(), Anchor.objects.order_by("-id").first()
    if head is None or (last is not None and last.block_id == head.n):
        return Finding("anchors", True, f"all of {head or 'nothing'} is anchored")
    since = last.recorded_at if last else Block.objects.earliest("n").sealed_at
    finding = _age("anchors", since, ANCHOR_SECONDS, what="last written", none="", none_is_well=True)
    short = len(settings.ANCHOR_PLACES) - len(last.places if last else [])
    if last is not None and short > 0:
        return Finding(
            "anchors", False, f"{short} places could not be written; {finding.detail}", finding.seconds
        )
    return finding


READY: tuple[Callable[[], Finding], ...] = (database, migrations)
ALL: tuple[Callable[[], Finding], ...] = (
    *READY,
    outbox,
    scheduler,
    workers,
    jobs,
    controls,
    approvals,
    seals,
    anchors,
)


def findings(checks: tuple[Callable[[], Finding], ...] = ALL) -> list[Finding]:
    """Ask each check; one that cannot even be asked is a finding too."""
    found = []
    for check in checks:
        try:
            found.append(check())
        except DatabaseError as error:
            found.append(
                Finding(check.__name__, False, f"{type(error).__name__}: {str(error).splitlines()[0]}")
            )
    return found
