from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class IdempotentCall(models.Model):
    """The answer to a call that carried an idempotency key, stored in the transaction of its effect.

    Either both are there or neither: a call that failed leaves no row, and may be sent again with the
    same key.
    """

    account = models.ForeignKey("access.User", on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, address, principal and body.")
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    request_id = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Guards:
        immutable = ("account", "key", "fingerprint", "status", "body", "request_id", "created_at")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="api_idempotentcall_once")]
        indexes = [models.Index(fields=["created_at"], name="api_idempotentcall_age")]

    def __str__(self) -> str:
        return f"{self.key} ({self.status})"
