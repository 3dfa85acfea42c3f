"""What the self-test found, each time. Facts: a result is never corrected, only followed by another."""

from __future__ import annotations

from django.db import models

from o2c.records import AppendOnly


class SelftestRun(AppendOnly):
    """One time that forbidden acts were tried, all of them or those of some rules."""

    class Trigger(models.TextChoices):
        NIGHTLY = "nightly", "Nightly"
        PERSON = "person", "By a person"
        COMMAND = "command", "From the command line"

    started_at = models.DateTimeField()
    trigger = models.CharField(max_length=10, choices=Trigger.choices)
    only = models.CharField(max_length=200, blank=True, help_text="Rules asked for; empty: all")
    tried = models.IntegerField(help_text="Forbidden acts tried")
    through = models.IntegerField(help_text="Forbidden acts that got through")
    unproven = models.IntegerField(help_text="Tried, and refused before the guard that it is about was asked")
    blocked = models.IntegerField(help_text="Permitted acts that were refused")
    seconds = models.DecimalField(max_digits=9, decimal_places=3)
    matrix = models.JSONField(help_text="[rule, title, door, principal, tried, through, unproven]")
    findings = models.JSONField(help_text="What got through, or was refused though permitted, in words")
    untried = models.JSONField(help_text="Rules and guards that no specimen could be made for")

    class Meta:
        verbose_name = "self-test"
        ordering = ["-id"]
        get_latest_by = "id"

    def __str__(self) -> str:
        return f"Self-test {self.pk} of {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def holds(self) -> bool:
        return self.tried > 0 and not self.through and not self.blocked
