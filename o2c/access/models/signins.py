"""Who came in, from where, and who was turned away: facts, never changed."""

from __future__ import annotations

from django.db import models

from o2c.access.models.users import User
from o2c.records import AppendOnly


class SignIn(AppendOnly):
    """One attempt to sign in, one sign-out, or one lock-out."""

    class Outcome(models.TextChoices):
        SIGNED_IN = "signed_in", "Signed in"
        REFUSED = "refused", "Refused"
        LOCKED = "locked", "Locked out"
        SIGNED_OUT = "signed_out", "Signed out"
        UNLOCKED = "unlocked", "Lock lifted"

    at = models.DateTimeField()
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="sign_ins")
    username = models.CharField(max_length=150, help_text="As typed: it may belong to nobody.")
    address = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["user", "-at"], name="access_signin_user_at")]

    def __str__(self) -> str:
        return f"{self.username} {self.get_outcome_display().lower()} at {self.at:%Y-%m-%d %H:%M}"
