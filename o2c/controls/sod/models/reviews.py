"""Access reviews: a sealed list of who held what, line by line kept or taken away by somebody else."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from o2c.access.models import RoleGrant, User
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition


class Campaign(StateMachine, Record):
    """One review of all access. `digest` is the SHA-256 of the list as it was taken."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        SIGNED = "signed", "Signed off"

    name = models.CharField(max_length=100, unique=True)
    state = StateField(choices=State.choices, default=State.OPEN)
    taken_at = models.DateTimeField()
    deadline = models.DateTimeField(help_text="What nobody has decided by then is revoked")
    digest = models.CharField(max_length=64)
    opened_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    signed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    signed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-taken_at"]
        verbose_name = "access review"

    class Guards:
        signatures = ["opened_by", "signed_by"]
        no_delete = True
        immutable = ("name", "taken_at", "deadline", "digest", "opened_by")

    def __str__(self) -> str:
        return self.name

    @transition(
        state,
        source=State.OPEN,
        target=State.SIGNED,
        duty="sod.review.sign",
        service="o2c.controls.sod.services.reviews.sign",
        label="Sign off",
    )
    def sign(self) -> None:
        """Every line is decided; the list agrees with its digest."""


class ReviewItem(StateMachine, Record):
    """One grant of one person in a campaign, with what it lets them do and when it was last used."""

    class State(models.TextChoices):
        PENDING = "pending", "To decide"
        KEPT = "kept", "Keep"
        REVOKED = "revoked", "Revoked"
        LAPSED = "lapsed", "Revoked: nobody decided in time"

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="items")
    grant = models.ForeignKey(RoleGrant, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=50)
    duties = models.JSONField(help_text="What the role allowed when the list was taken")
    granted_by = models.CharField(max_length=150)
    granted_at = models.DateTimeField()
    last_done_at = models.DateTimeField(
        null=True, blank=True, help_text="When the person last did what a duty of the role is for"
    )
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="The person's last sign-in or call")
    conflicts = models.JSONField(default=list, help_text="Rules that the person's grants touch together")
    exceptions = models.JSONField(default=list, help_text="Exceptions in force")
    state = StateField(choices=State.choices, default=State.PENDING)
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["campaign", "user__username", "role"]
        verbose_name = "line of an access review"
        verbose_name_plural = "lines of access reviews"
        constraints = [
            models.UniqueConstraint(fields=["campaign", "grant"], name="sod_reviewitem_once"),
            models.CheckConstraint(
                name="sod_reviewitem_by_another",
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("user")),
                violation_error_message="Nobody certifies their own access.",
            ),
            models.CheckConstraint(
                name="sod_reviewitem_decided_by_someone",
                condition=Q(state__in=["pending", "lapsed"]) | Q(decided_by__isnull=False),
            ),
        ]

    class Guards:
        signatures = ["decided_by"]
        no_delete = True
        immutable = (
            "campaign", "grant", "user", "role", "duties", "granted_by", "granted_at", "last_done_at",
            "last_used_at", "conflicts", "exceptions",
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.user}: {self.role}"

    @transition(
        state,
        source=State.PENDING,
        target=State.KEPT,
        duty="sod.review.decide",
        service="o2c.controls.sod.services.reviews.keep",
        label="Keep",
    )
    def keep(self) -> None:
        """The person needs it."""

    @transition(
        state,
        source=State.PENDING,
        target=State.REVOKED,
        duty="sod.review.decide",
        service="o2c.controls.sod.services.reviews.revoke",
        label="Revoke",
    )
    def revoke(self) -> None:
        """The grant ends now."""

    @transition(state, source=State.PENDING, target=State.LAPSED, duty="sod.review.lapse", label="Lapse")
    def lapse(self) -> None:
        """Nobody decided before the deadline: the grant ends."""
