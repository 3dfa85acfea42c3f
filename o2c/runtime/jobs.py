"""Jobs: long work that somebody asked for, with progress that a screen or a command can show.

    @jobs.kind("billing.run.post", label="Post a bill run")
    def post(job: jobs.Running) -> None:
        for chunk in job.steps(chunks, phase="Posting"):
            ...                                  # one transaction per chunk
            job.count(posted=len(chunk))

    jobs.enqueue("billing.run.post", {"run_id": 7}, actor=actor, key="billing.run:7:post")

A job function must be able to start again: after a worker's death it is called anew, with `job.cursor` as the
last chunk left it. `count` and `save_cursor` inside the chunk's transaction are committed with its work, so
the figures stay true; progress becomes visible to others when the chunk commits.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from django.db import DatabaseError, IntegrityError, close_old_connections, connection, transaction
from django.db.models import F, Q, QuerySet

from o2c import clock
from o2c.actor import Actor, acting, ambient
from o2c.errors import Conflict, NotFound
from o2c.runtime.models import Job

log = structlog.get_logger(__name__)
T = TypeVar("T")

LEASE = dt.timedelta(seconds=60)
RENEW_SECONDS = 15
ATTEMPTS = 5
SHOW_SECONDS = 0.5


def ours(job: Job) -> QuerySet[Job]:
    """The row, as long as nobody took the job over because this process seemed dead."""
    return Job.objects.filter(pk=job.pk, attempts=job.attempts, state=Job.State.RUNNING)


class Running:
    """A job in the hands of its function: what it was asked, where it stands."""

    def __init__(self, job: Job, listener: Callable[[Job], None] | None = None) -> None:
        self.row = job
        self.arguments: dict[str, Any] = dict(job.arguments)
        self.cursor: dict[str, Any] = dict(job.cursor)
        self._listener = listener
        self._shown = 0.0

    def steps(self, items: Iterable[T], *, phase: str = "", total: int | None = None) -> Iterator[T]:
        """Walk through the items, one step of progress each."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        self.progress(0, total, phase=phase)
        for number, item in enumerate(items, start=1):
            yield item
            self.progress(number, total)

    def count(self, **figures: int) -> None:
        """Add to the job's figures."""
        for name, figure in figures.items():
            self.row.counts[name] = self.row.counts.get(name, 0) + figure
        self._show()

    def progress(self, current: int, total: int | None = None, *, phase: str | None = None) -> None:
        """Where the job stands. Written at most twice a second, and always at a new phase and at the end."""
        row = self.row
        row.current, row.total = current, row.total if total is None else total
        if phase is not None:
            row.phase = phase[:100]
        self._show(at_once=phase is not None or current == row.total)

    def save_cursor(self, **cursor: Any) -> None:
        """Remember where to go on. Inside the chunk's transaction it is committed with the chunk's work."""
        self.cursor |= cursor
        self.row.cursor = self.cursor
        self._write()

    def _show(self, *, at_once: bool = False) -> None:
        if not at_once and time.monotonic() - self._shown < SHOW_SECONDS:
            return
        self._write()
        if self._listener is not None:
            self._listener(self.row)

    def _write(self) -> None:
        self._shown = time.monotonic()
        row = self.row
        ours(row).update(
            current=row.current, total=row.total, phase=row.phase, counts=row.counts, cursor=row.cursor
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """A registered job function. `label` is what a person reads."""

    code: str
    label: str
    function: Callable[[Running], None]
    attempts: int = field(default=ATTEMPTS)


_kinds: dict[str, Kind] = {}


def kind(code: str, *, label: str, attempts: int = ATTEMPTS) -> Callable[[Callable[[Running], None]], Any]:
    """Register a job function under a name that stays valid across releases. Lives in <app>/tasks.py."""

    def register(function: Callable[[Running], None]) -> Callable[[Running], None]:
        if code in _kinds and _kinds[code].function.__module__ != function.__module__:
            raise ValueError(f"Two job functions are named {code}")
        _kinds[code] = Kind(code, label, function, attempts)
        return function

    return register


def kind_of(code: str) -> Kind:
    if code not in _kinds:
        from o2c.celery import app

        app.loader.import_default_modules()
    try:
        return _kinds[code]
    except KeyError:
        raise NotFound(
            f"No job function is named {code}", remedy="Register it in the app's tasks.py"
        ) from None


def kinds() -> list[str]:
    """Every registered job function."""
    from o2c.celery import app

    app.loader.import_default_modules()
    return sorted(_kinds)


def enqueue(
    code: str,
    arguments: dict[str, Any] | None = None,
    *,
    actor: Actor,
    reason: str = "",
    key: str = "",
    due_at: dt.datetime | None = None,
) -> Job:
    """Ask for a job; a worker starts it after this transaction has committed.

    With a `key`, an open job of the same key is answered instead of a second one.
    """
    kind_of(code)
    job = Job(
        kind=code, arguments=arguments or {}, actor_id=actor.user_id, reason=reason, key=key,
        due_at=due_at or clock.now(),
    )  # fmt: skip
    try:
        with acting(actor, reason=reason):  # the table takes a job only in the name of who asks
            job.save()
    except IntegrityError:
        open_job = Job.objects.filter(key=key, state__in=Job.OPEN).first() if key else None
        if open_job is None:
            raise
        return open_job
    transaction.on_commit(lambda: send(job.pk), robust=True)
    return job


def send(job_id: int) -> None:
    """Wake a worker for the job. Losing this message is harmless: the sweeper sends it again."""
    from o2c.runtime.tasks import run_job

    run_job.delay(job_id)


def cancel(job_id: int) -> None:
    """Take back a job that has not started. Raises Conflict when it has."""
    done = Job.objects.filter(pk=job_id, state=Job.State.QUEUED).update(
        state=Job.State.CANCELLED, finished_at=clock.now()
    )
    if not done:
        raise Conflict("Only a job that waits can be cancelled", record=f"job {job_id}")


def due(now: dt.datetime) -> list[int]:
    """Jobs that ought to be running and aren't: waiting and due, or left behind by a dead worker."""
    waiting = Q(state=Job.State.QUEUED, due_at__lte=now)
    left = Q(state=Job.State.RUNNING, leased_until__lt=now)
    return list(
        Job.objects.filter(waiting | left).order_by("due_at", "id").values_list("pk", flat=True)[:500]
    )


def _claim(job_id: int) -> Job | None:
    """Take the job for this process, or None when it isn't due or another has it."""
    now = clock.now()
    free = Q(state=Job.State.QUEUED, due_at__lte=now) | Q(state=Job.State.RUNNING, leased_until__lt=now)
    taken = Job.objects.filter(free, pk=job_id).update(
        state=Job.State.RUNNING,
        attempts=F("attempts") + 1,
        leased_until=now + LEASE,
        worker=f"{platform.node()}:{os.getpid()}",
        started_at=now,
        error="",
    )
    return Job.objects.select_related("actor").get(pk=job_id) if taken else None


def run(job_id: int, *, listener: Callable[[Job], None] | None = None) -> Job:
    """Do the job here and now, unless it is done, not due, or another process has it.

    A refusal or a crash of the function is kept on the row and tried again later, up to the kind's attempts;
    `listener` is called with the row at each step of progress (a command draws its bar with it).
    """
    job = _claim(job_id)
    if job is None:
        return Job.objects.get(pk=job_id)
    registered = kind_of(job.kind)
    context = structlog.contextvars.bound_contextvars(job=job.pk, job_kind=job.kind)
    edge = ambient(Actor.of(job.actor), reason=job.reason or registered.label, request_id=f"job:{job.pk}")
    with context, edge, _Lease(job):
        try:
            registered.function(Running(job, listener))
        except Exception as error:
            _fail(job, registered, error)
        else:
            _finish(job, Job.State.SUCCEEDED)
    job.refresh_from_db()
    if listener is not None:
        listener(job)
    return job


def _finish(job: Job, state: Job.State, error: str = "") -> None:
    ours(job).update(
        state=state, finished_at=clock.now(), leased_until=None, error=error, current=job.current,
        total=job.total, counts=job.counts,
    )  # fmt: skip


def _fail(job: Job, registered: Kind, error: Exception) -> None:
    """Keep what went wrong. A refusal of the domain is final; anything else is tried again, ever later."""
    from o2c.errors import DomainError

    final = isinstance(error, DomainError) or job.attempts >= registered.attempts
    log.error("job failed", final=final, attempts=job.attempts, exc_info=error)
    text = (
        str(error) if isinstance(error, DomainError) else "".join(traceback.format_exception(error))[-8000:]
    )
    if final:
        _finish(job, Job.State.FAILED, text)
        return
    ours(job).update(
        state=Job.State.QUEUED,
        leased_until=None,
        error=text,
        due_at=clock.now() + dt.timedelta(seconds=10 * 3**job.attempts),
    )


class _Lease:
    """Says regularly, from a thread with a connection of its own, that the job's worker lives."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease of job {job.pk}", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            try:
                ours(self._job).update(leased_until=clock.now() + LEASE)
            except DatabaseError as error:
                log.warning("lease not renewed", job=self._job.pk, error=str(error))
                close_old_connections()
        connection.close()
