"""What the invariants said, each time they were asked. Facts: a run is never corrected,
only followed by another.
"""

from __future__ import annotations

from django.db import models

from o2c.records import AppendOnly


class InvariantRun(AppendOnly):
    """One time that invariants were checked, all of them or some."""

    class Trigger(models.TextChoices):
        NIGHTLY = "nightly", "Nightly"
        PERSON = "person", "By a person"
        COMMAND = "command", "From the command line"

    started_at = models.DateTimeField()
    trigger = models.CharField(max_length=10, choices=Trigger.choices)
    checked = models.IntegerField(help_text="Invariants asked.")
    failing = models.IntegerField(help_text="Invariants that returned rows or couldn't be asked.")
    seconds = models.DecimalField(max_digits=9, decimal_places=3)

    class Meta:
        ordering = ["-id"]
        get_latest_by = "id"

    def __str__(self) -> str:
        return f"Check {self.pk} of {self.started_at:%Y-%m-%d %H:%M}"


class InvariantResult(AppendOnly):
    """What one invariant said in one run.

    violations  rows that the query returned; None when the query itself failed (then `error` says why)
    sample      the first rows, as a list of objects by column
    """

    run = models.ForeignKey(InvariantRun, on_delete=models.PROTECT, related_name="results")
    code = models.CharField(max_length=100)
    description = models.TextField()
    violations = models.IntegerField(null=True)
    sample = models.JSONField(default=list)
    error = models.TextField(default="", blank=True)
    seconds = models.DecimalField(max_digits=9, decimal_places=3)

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["run", "code"], name="invariants_result_once")]

    def __str__(self) -> str:
        return f"{self.code} in check {self.run_id}"

    @property
    def passed(self) -> bool:
        return self.violations == 0
