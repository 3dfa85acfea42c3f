"""Who read what should not be read without being seen: bank data in clear, whole lists taken away."""

from __future__ import annotations

from django.db import models

from o2c.records import AppendOnly


class ReadEvent(AppendOnly):
    """One reading. The account or person is `actor_id`; `rows` is how many records were read."""

    class Kind(models.TextChoices):
        REVEAL = "reveal", "Shown in clear"
        EXPORT = "export", "List exported"
        FILE = "file", "File for another system"
        API = "api", "List by the API"

    at = models.DateTimeField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    what = models.CharField(max_length=200)
    rows = models.IntegerField()
    reader = models.CharField(max_length=320)
    on_behalf_of_id = models.BigIntegerField(null=True)
    why = models.TextField(blank=True)
    request_id = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["kind", "-at"], name="access_read_kind_at")]

    def __str__(self) -> str:
        return f"{self.reader}: {self.what}"
