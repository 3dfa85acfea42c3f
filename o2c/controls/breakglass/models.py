"""A session of emergency access, and every use of a duty that it lent."""

from __future__ import annotations

import datetime as dt

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import RawSQL

from o2c.access.models import User
from o2c.records import AppendOnly, Record
from o2c.states import StateField, StateMachine, transition

LONGEST = dt.timedelta(hours=4)


class SessionQuerySet(models.QuerySet["Session"]):
    def unreviewed(self) -> SessionQuerySet:
        """Opened once, whoever used it or not, and not reviewed yet."""
        return self.filter(opened_at__isnull=False).exclude(state=Session.State.REVIEWED)


class Session(StateMachine, Record):
    """Lends `duties` to `user` in `[opened_at, ends_at)`, at most four hours.

    Asked for by whoever needs it, opened by a second person, reviewed by a third within five working days of
    its
    end. It lends acts, never a decision: approvals and administration cannot be lent.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", "Asked for"
        REFUSED = "refused", "Refused"
        OPEN = "open", "Open"
        CLOSED = "closed", "Ended, waits for review"
        REVIEWED = "reviewed", "Reviewed"

    class Finding(models.TextChoices):
        JUSTIFIED = "justified", "Justified"
        NOT_JUSTIFIED = "not_justified", "Not justified"

    user = models.ForeignKey(User, models.PROTECT, related_name="breakglass_sessions")
    duties = ArrayField(models.CharField(max_length=100))
    hours = models.PositiveSmallIntegerField()
    reason = models.TextField(help_text="What cannot wait for whoever usually does it")
    ticket = models.CharField(max_length=60, help_text="Number of the incident")
    state = StateField(choices=State.choices, default=State.REQUESTED)
    authorised_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    opened_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    review_due_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    reviewed_at = models.DateTimeField(null=True, blank=True)
    finding = models.CharField(max_length=20, choices=Finding.choices, blank=True, default="")
    review_note = models.TextField(blank=True, default="")

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = "emergency access"
        verbose_name_plural = "emergency access"
        constraints = [
            models.CheckConstraint(
                name="breakglass_says_why", condition=~Q(reason="") & ~Q(ticket="") & Q(duties__len__gt=0)
            ),
            models.CheckConstraint(
                name="breakglass_hours", condition=Q(hours__gte=1) & Q(hours__lte=4),
                violation_error_message="Emergency access lasts between one and four hours.",
            ),
            models.CheckConstraint(
                name="breakglass_two_people",
                condition=Q(authorised_by__isnull=True) | ~Q(authorised_by=F("user")),
                violation_error_message="Nobody opens emergency access for themselves.",
            ),
            models.CheckConstraint(
                name="breakglass_opened_by_someone",
                condition=Q(state__in=["requested", "refused"])
                | (
                    Q(authorised_by__isnull=False, opened_at__isnull=False, ends_at__isnull=False)
                    & Q(ends_at__lte=F("opened_at") + LONGEST)
                    & Q(review_due_at__isnull=False)
                ),
            ),
            models.CheckConstraint(
                name="breakglass_reviewed_by_a_third",
                condition=Q(reviewed_by__isnull=True)
                | (~Q(reviewed_by=F("user")) & ~Q(reviewed_by=F("authorised_by"))),
                violation_error_message="Who used or opened it does not review it.",
            ),
            models.CheckConstraint(
                name="breakglass_reviewed_with_finding",
                condition=~Q(state="reviewed")
                | (
                    Q(reviewed_by__isnull=False, reviewed_at__isnull=False)
                    & ~Q(finding="")
                    & ~Q(review_note="")
                ),
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["user", "ends_at"], name="breakglass_by_user")]

    class Guards:
        no_delete = True
        immutable = ["user", "duties", "hours", "reason", "ticket"]
        frozen_when = {"field": "state", "values": ["refused", "reviewed"]}

    def __str__(self) -> str:
        return f"{self.number} {self.ticket}"

    @property
    def number(self) -> str:
        return f"BG-{self.pk:06d}"

    @transition(
        state,
        source=State.REQUESTED,
        target=State.OPEN,
        duty="breakglass.session.authorise",
        service="o2c.controls.breakglass.services.authorise",
        label="Open",
    )
    def authorise(self) -> None:
        """A second person lets it happen, from now for the hours that were asked."""

    @transition(
        state,
        source=State.REQUESTED,
        target=State.REFUSED,
        duty="breakglass.session.authorise",
        service="o2c.controls.breakglass.services.refuse",
        label="Refuse",
    )
    def refuse(self) -> None:
        """It can wait for whoever usually does it."""

    @transition(
        state,
        source=State.OPEN,
        target=State.CLOSED,
        duty="breakglass.session.request",
        service="o2c.controls.breakglass.services.end",
        label="End now",
    )
    def end(self) -> None:
        """Done before its time; what it lent is gone at once."""

    @transition(
        state,
        source=[State.OPEN, State.CLOSED],
        target=State.REVIEWED,
        duty="breakglass.session.review",
        service="o2c.controls.breakglass.services.review",
        label="Review",
    )
    def review(self) -> None:
        """A third person read what was done and says what they found."""


class Use(AppendOnly):
    """One use of a duty that a session lent; `txid` names the transaction in which all of it was written."""

    session = models.ForeignKey(Session, models.PROTECT, related_name="uses")
    duty = models.CharField(max_length=100)
    record = models.CharField(max_length=300, blank=True)
    txid = models.BigIntegerField(
        db_default=RawSQL("(pg_current_xact_id()::text::bigint)", ()), editable=False
    )

    class Meta:
        ordering = ["session", "pk"]

    def __str__(self) -> str:
        return f"{self.duty} {self.record}"
