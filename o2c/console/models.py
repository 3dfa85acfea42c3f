"""What left the console as a file."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from o2c.records import AppendOnly


class ExportEvent(AppendOnly):
    """One download of a list: who took which rows, and the hash by which the file can be recognised."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    model = models.CharField(max_length=100, help_text="app.model of the rows")
    title = models.CharField(max_length=200)
    filters = models.TextField(blank=True, help_text="The list's filter, as in its address.")
    rows = models.IntegerField()
    file_name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.rows} rows)"
