"""What the runtime remembers: jobs, signs of life, and the messages of the embedded broker.

None of it is a business record: it says how work is going, not what was done. What a job did is in the
tables that it wrote, under the name of whoever asked for it.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Job(models.Model):
    """A long piece of work that somebody asked for: what, for whom, how far, how it ended.

    The row is the truth, the broker only wakes a worker: a lost message is sent again by the sweeper, and
    a job whose worker died is taken up by another when its lease has run out.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    OPEN = (State.QUEUED, State.RUNNING)

    kind = models.CharField(
        max_length=100, help_text="Name of the registered function, e.g. billing.run.post"
    )
    arguments = models.JSONField(default=dict)
    key = models.CharField(max_length=200, blank=True, help_text="At most one open job per key")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)

    phase = models.CharField(max_length=100, blank=True, help_text="What it is doing, in words")
    current = models.BigIntegerField(default=0, help_text="Steps done")
    total = models.BigIntegerField(null=True, help_text="Steps in all, unknown at first")
    counts = models.JSONField(default=dict, help_text="Figures by name, e.g. {'posted': 120}")
    cursor = models.JSONField(
        default=dict, help_text="Where to go on after an interruption; the function's own"
    )
    error = models.TextField(blank=True)

    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now(), help_text="Not to be started before")
    leased_until = models.DateTimeField(null=True, help_text="Its worker is believed alive until then")
    worker = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(state__in=["queued", "running"]) & ~Q(key=""),
                name="runtime_job_one_open_per_key",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | ~Q(state__in=["queued", "running"]),
                name="runtime_job_open_is_unfinished",
            ),
        )
        indexes = (
            models.Index(
                fields=["due_at"], condition=Q(state__in=["queued", "running"]), name="runtime_job_open"
            ),
        )

    def __str__(self) -> str:
        return f"Job {self.pk} {self.kind}"

    @property
    def percent(self) -> int | None:
        """0 to 100, rounded down; None while the total is unknown."""
        return min(100, self.current * 100 // self.total) if self.total else None


class Heartbeat(models.Model):
    """A sign of life: which component, on which host, when last."""

    component = models.CharField(max_length=200, primary_key=True, help_text="beat, worker:<name>, web")
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.component


class BrokerMessage(models.Model):
    """A task on its way to a worker, when the embedded broker is used. Deleted when acknowledged."""

    queue = models.CharField(max_length=200)
    payload = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True, help_text="Held by a worker until then; null when waiting")

    class Meta:
        indexes = (models.Index(fields=["queue", "id"], name="runtime_broker_queue"),)

    def __str__(self) -> str:
        return f"{self.queue} {self.pk}"
