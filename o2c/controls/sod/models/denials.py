"""What was tried and refused: facts."""

from __future__ import annotations

from django.db import models

from o2c.records import AppendOnly


class Denial(AppendOnly):
    """One refused attempt, written after the refused transaction was undone."""

    at = models.DateTimeField()
    actor_label = models.CharField(max_length=320)
    on_behalf_of_id = models.BigIntegerField(null=True, blank=True)
    code = models.CharField(max_length=40, help_text="duty_missing, segregation, grant_to_self …")
    rule = models.CharField(max_length=4, blank=True, help_text="The segregation rule, where one refused")
    record = models.CharField(max_length=300, blank=True)
    message = models.TextField()
    reason = models.TextField(blank=True, help_text="What the actor gave as the reason")
    request_id = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = "refused attempt"
        indexes = [models.Index(fields=["-at"], name="sod_denial_at")]

    def __str__(self) -> str:
        return f"{self.actor_label}: {self.message[:80]}"
