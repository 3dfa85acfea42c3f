"""One row per distinct content. The same bytes are stored once, whoever stores them."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Func, Q, Value

from o2c.records import AppendOnly


class Document(AppendOnly):
    """The bytes of a file. `sha256` is proved by the database, so a document is what it says it is."""

    sha256 = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200, help_text="File name when it is downloaded")
    media_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField(help_text="Bytes")
    content = models.BinaryField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                name="documents_document_hash_is_of_content",
                condition=Q(
                    sha256=Func(
                        Func(F("content"), function="sha256", output_field=models.BinaryField()),
                        Value("hex"),
                        function="encode",
                        output_field=models.TextField(),
                    )
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.sha256[:12]})"
