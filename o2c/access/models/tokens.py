"""Bearer tokens of service accounts: only a hash is stored, every token ends, scopes narrow what it can
do.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from o2c.access.models.users import User
from o2c.records import Record


class AuthToken(Record):
    """A token of a service account. The secret is shown once, at issue; the prefix names it in logs and
    pages.
    """

    account = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="tokens", limit_choices_to={"kind": User.Kind.SERVICE}
    )
    name = models.CharField(
        max_length=100, help_text="Where the token is used, for example 'Salesforce production'."
    )
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(
        max_length=64, unique=True, help_text="SHA-256 of the whole token, hexadecimal."
    )
    scopes = models.JSONField(default=list, help_text="Duties the token may use, a subset of its account's.")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens_issued")
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="tokens_revoked"
    )

    class Guards:
        signatures = ["created_by", "revoked_by"]
        no_delete = True
        immutable = ("account", "prefix", "digest", "scopes", "created_by", "expires_at")

    class Meta:
        ordering = ["account", "-created_at"]
        constraints = [
            models.CheckConstraint(
                name="access_authtoken_revoked_by_someone",
                condition=Q(revoked_at__isnull=True, revoked_by__isnull=True)
                | Q(revoked_at__isnull=False, revoked_by__isnull=False),
            ),
            models.CheckConstraint(
                name="access_authtoken_not_by_itself", condition=~Q(account=F("created_by"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"


class TokenUse(models.Model):
    """When a token was last used. Apart from the token, so that reading an API call writes no history."""

    token = models.OneToOneField(AuthToken, on_delete=models.CASCADE, primary_key=True, related_name="use")
    last_used_at = models.DateTimeField()
    last_address = models.GenericIPAddressField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.token_id} at {self.last_used_at:%Y-%m-%d %H:%M}"
