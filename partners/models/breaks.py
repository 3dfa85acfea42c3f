"""Differences between what we expect of a channel and what it says: typed, owned, aged, valued."""

from django.db import models

from o2c.money import AmountField, CurrencyField
from o2c.records import AppendOnly, Record
from o2c.states import StateField, StateMachine, transition
from partners.domain.taxonomy import BREAKS, LEGS


class Break(StateMachine, Record):
    """One difference on one leg of the reconciliation. It keeps its first sight; it closes with a reason."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ASSIGNED = "assigned", "Assigned"
        WAITING = "waiting", "Waiting for the channel"
        PROPOSED = "proposed", "Resolution proposed"
        RESOLVED = "resolved", "Resolved"
        CLEARED = "cleared", "Cleared by itself"

    initial_states = (State.OPEN, State.CLEARED)
    LIVE = (State.OPEN, State.ASSIGNED, State.WAITING, State.PROPOSED)

    channel = models.ForeignKey("partners.Channel", on_delete=models.PROTECT, related_name="breaks")
    agreement = models.ForeignKey(
        "partners.AwsAgreement", null=True, blank=True, on_delete=models.PROTECT, related_name="breaks"
    )
    type = models.CharField(max_length=24, choices=list(BREAKS.items()))
    leg = models.CharField(max_length=12, choices=list(LEGS.items()))
    key = models.CharField(max_length=255, help_text="What it is about; one live break per type and key.")
    period = models.CharField(max_length=7, help_text="Month it belongs to, as 2026-08.")
    expected = models.DecimalField(max_digits=38, decimal_places=9)
    actual = models.DecimalField(max_digits=38, decimal_places=9)
    value = AmountField(help_text="Money at stake, positive when we stand to lose it.")
    currency = CurrencyField()
    first_seen_at = models.DateTimeField()
    escalates_at = models.DateTimeField()
    owner_role = models.CharField(max_length=40)
    owner = models.ForeignKey(
        "access.User", null=True, blank=True, on_delete=models.PROTECT, related_name="partner_breaks"
    )
    state = StateField(choices=State.choices, default=State.OPEN)
    evidence = models.JSONField(default=dict)
    resolution = models.CharField(max_length=20, blank=True)
    proposed_by = models.ForeignKey(
        "access.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    closed_by = models.ForeignKey(
        "access.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ("escalates_at", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=["channel", "type", "key"],
                condition=models.Q(state__in=["open", "assigned", "waiting", "proposed"]),
                name="partners_break_once_while_live",
            ),
            models.CheckConstraint(
                name="partners_break_closed_by_another",
                condition=~models.Q(state="resolved")
                | (models.Q(closed_by__isnull=False) & ~models.Q(closed_by=models.F("proposed_by"))),
            ),
        )

    class Guards:
        signatures = ["proposed_by", "closed_by"]
        immutable = ["channel", "type", "leg", "key", "period", "currency", "first_seen_at"]
        frozen_when = {"field": "state", "values": ["resolved", "cleared"]}
        no_delete = True

    def __str__(self) -> str:
        return f"{self.number} {self.get_type_display()}"

    @property
    def number(self) -> str:
        """How people name it: BRK-000012."""
        return f"BRK-{self.pk or 0:06d}"

    @transition(
        state,
        source=[State.OPEN, State.ASSIGNED, State.WAITING],
        target=State.ASSIGNED,
        duty="partners.break.work",
        service="partners.services.breaks.take",
        label="Take",
    )
    def take(self) -> None:
        """Somebody owns it."""

    @transition(
        state,
        source=[State.OPEN, State.ASSIGNED],
        target=State.WAITING,
        duty="partners.break.work",
        service="partners.services.breaks.wait",
        label="Wait for the channel",
    )
    def wait(self) -> None:
        """A support case is open at the channel."""

    @transition(
        state,
        source=[State.OPEN, State.ASSIGNED, State.WAITING],
        target=State.PROPOSED,
        duty="partners.break.work",
        label="Propose a resolution",
    )
    def propose(self) -> None:
        """A resolution is proposed; a second person closes it."""

    @transition(
        state,
        source=State.PROPOSED,
        target=State.RESOLVED,
        duty="partners.break.resolve",
        service="partners.services.breaks.resolve",
        label="Resolve",
    )
    def resolve(self) -> None:
        """The proposed resolution is carried out and the break closed."""

    @transition(
        state,
        source=[State.OPEN, State.ASSIGNED, State.WAITING, State.PROPOSED],
        target=State.CLEARED,
        duty="partners.reconciliation.run",
        label="Clear",
    )
    def clear(self) -> None:
        """A later run no longer finds the difference."""


class ReconciliationRun(AppendOnly):
    """One leg compared at one moment: totals of both sides and the breaks that explain their difference."""

    channel = models.ForeignKey("partners.Channel", on_delete=models.PROTECT, related_name="reconciliations")
    leg = models.CharField(max_length=12, choices=list(LEGS.items()))
    currency = CurrencyField()
    as_of = models.DateTimeField()
    rule_version = models.CharField(max_length=12)
    left_total = models.DecimalField(max_digits=38, decimal_places=9)
    right_total = models.DecimalField(max_digits=38, decimal_places=9)
    explained = models.DecimalField(max_digits=38, decimal_places=9)
    compared = models.PositiveIntegerField()
    differing = models.PositiveIntegerField()

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(
                name="partners_reconciliation_explained",
                condition=models.Q(explained=models.F("left_total") - models.F("right_total")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.leg} {self.as_of:%Y-%m-%d}"
