"""Jobs with their progress, and signs of life of workers and scheduler."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from o2c import clock
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.console import Act, Fact, RecordAdmin
from o2c.console import format as fmt
from o2c.console.object_page import find
from o2c.errors import Conflict
from o2c.runtime import jobs
from o2c.runtime.models import Heartbeat, Job

AREA = "System"
DUTY = "console.job.manage"


def cancel(pk: Any, *, actor: Actor, reason: str = "") -> None:
    """Take back a job that waits."""
    with acting(actor, reason=reason):
        require(actor, DUTY, record=f"job {pk}")
        jobs.cancel(int(pk))


def again(pk: Any, *, actor: Actor, reason: str = "") -> Job:
    """Ask for the same work again, as a new job in the name of whoever asks now."""
    with acting(actor, reason=reason):
        require(actor, DUTY, record=f"job {pk}")
        job = Job.objects.get(pk=pk)
        if job.state not in (Job.State.FAILED, Job.State.CANCELLED):
            raise Conflict("Only a job that failed or was cancelled is asked for again", record=str(job))
        return jobs.enqueue(job.kind, job.arguments, actor=actor, reason=reason, key=job.key)


@admin.register(Job)
class JobAdmin(RecordAdmin):
    """Long work: what, for whom, how far, how it ended."""

    area, icon, nav_position = AREA, "manufacturing", 10
    list_display = ["id", "label", "state_badge", "progress_text", "actor", "created_at", "finished_at"]
    list_select_related = ["actor"]
    list_filter = ["state", "kind"]
    search_fields = ["kind", "reason", "error"]
    ordering = ["-id"]
    object_template = "console/job.html"
    exclude = ("current", "total", "phase", "counts", "error", "leased_until")
    empty_text = "Long work that somebody asks for (posting a run, sending invoices) shows its progress here."
    acts = [
        Act(
            "cancel",
            "Cancel",
            "o2c.console.admin.runtime.cancel",
            duty=DUTY,
            bulk=True,
            danger=True,
            icon="cancel",
            unavailable=lambda job, _: (
                [] if job.state == Job.State.QUEUED else ["Only a job that waits can be cancelled."]
            ),
        ),
        Act(
            "again",
            "Ask again",
            "o2c.console.admin.runtime.again",
            duty=DUTY,
            icon="replay",
            unavailable=lambda job, _: (
                []
                if job.state in (Job.State.FAILED, Job.State.CANCELLED)
                else ["Only a job that failed or was cancelled is asked for again."]
            ),
        ),
    ]

    @admin.display(description="Work", ordering="kind")
    def label(self, job: Job) -> str:
        return label_of(job)

    @admin.display(description="State", ordering="state")
    def state_badge(self, job: Job) -> SafeString:
        return fmt.badge(job.state, job.get_state_display())

    @admin.display(description="Progress")
    def progress_text(self, job: Job) -> str:
        return progress_text(job)

    def facts(self, job: Job) -> list[Fact]:
        return [Fact("Work", label_of(job)), Fact("Asked by", job.actor), Fact("Asked at", job.created_at)]

    def object_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        return progress_context(obj)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.progress_view)
        return [path("<path:object_id>/progress/", view, name="runtime_job_progress"), *super().get_urls()]

    def progress_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The part of the page that refreshes itself."""
        job = find(self, request, object_id)
        return TemplateResponse(request, "console/job_progress.html", progress_context(job))


def label_of(job: Job) -> str:
    """What the job does, in words; its code when no such function exists any more."""
    kind = jobs._kinds.get(job.kind)
    return kind.label if kind else job.kind


def progress_text(job: Job) -> str:
    if job.total:
        return f"{job.current:,} of {job.total:,} ({job.percent} %)"
    return f"{job.current:,}" if job.current else ""


def progress_context(job: Job) -> dict[str, Any]:
    """State, share, rate and what is left. The rate is over the job's whole time."""
    running = job.state == Job.State.RUNNING and job.started_at is not None
    seconds = (clock.now() - job.started_at).total_seconds() if running and job.started_at else 0
    rate = job.current / seconds if seconds > 0 else 0
    left = (job.total - job.current) / rate if rate and job.total else None
    return {
        "job": job,
        "job_badge": fmt.badge(job.state, job.get_state_display()),
        "job_text": progress_text(job),
        "rate": f"{rate:,.1f} a second" if rate else "",
        "left": fmt.plain_seconds(left) if left is not None else "",
        "live": reverse("admin:runtime_job_progress", args=(job.pk,)) if job.state in Job.OPEN else "",
    }


@admin.register(Heartbeat)
class HeartbeatAdmin(RecordAdmin):
    """Which part of the machinery gave a sign of life, and when."""

    area, icon, nav_position, nav_title = AREA, "ecg_heart", 15, "Signs of life"
    list_display = ["component", "at", "age"]
    ordering = ["component"]
    exportable = False

    @admin.display(description="Ago")
    def age(self, beat: Heartbeat) -> SafeString:
        return fmt.age(beat.at, clock.now())
