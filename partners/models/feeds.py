"""Seller data feeds as they came, and the billing events in them: append-only in both times."""

from django.db import models
from django.db.models import Q

from o2c.money import CurrencyField
from o2c.records import AppendOnly, Record
from o2c.states import StateField, StateMachine, transition


class FeedFile(AppendOnly):
    """One file as it was delivered. AWS appends to month files, so the same rows come again in the next
    delivery.

    received = accepted + duplicate + rejected, held by the database.
    """

    channel = models.ForeignKey("partners.Channel", on_delete=models.PROTECT, related_name="feed_files")
    feed = models.CharField(max_length=40)
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    columns = models.JSONField()
    unknown_columns = models.JSONField(default=list)
    snapshot_at = models.DateTimeField(
        help_text="When the file was taken; knowledge time of rows without their own."
    )
    received = models.PositiveIntegerField()
    accepted = models.PositiveIntegerField()
    duplicate = models.PositiveIntegerField()
    rejected = models.PositiveIntegerField()

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(fields=["channel", "feed", "sha256"], name="partners_feed_file_once"),
            models.CheckConstraint(
                name="partners_feed_file_conserves",
                condition=Q(received=models.F("accepted") + models.F("duplicate") + models.F("rejected")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.feed}: {self.name}"


class FeedRow(AppendOnly):
    """One row of a feed, raw. Newest update_date per key and valid_from is the truth; older rows are
    what was known.
    """

    file = models.ForeignKey(FeedFile, on_delete=models.PROTECT, related_name="rows")
    channel = models.ForeignKey("partners.Channel", on_delete=models.PROTECT, related_name="+")
    feed = models.CharField(max_length=40)
    natural_key = models.CharField(max_length=500)
    valid_from = models.DateTimeField()
    update_date = models.DateTimeField()
    deleted = models.BooleanField(default=False)
    digest = models.CharField(
        max_length=64, help_text="SHA-256 of the row's content without its place in the file."
    )
    data = models.JSONField()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=["channel", "feed", "digest"], name="partners_feed_row_once"),
        )
        indexes = (
            models.Index(
                fields=["feed", "natural_key", "valid_from", "update_date"], name="partners_feed_row_key"
            ),
        )

    def __str__(self) -> str:
        return f"{self.feed} {self.natural_key}"


class FeedException(StateMachine, Record):
    """A row that could not be read: kept, with the reason, until somebody deals with it."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        RESOLVED = "resolved", "Resolved"

    file = models.ForeignKey(FeedFile, on_delete=models.PROTECT, related_name="exceptions")
    line_number = models.PositiveIntegerField()
    problem = models.TextField()
    data = models.JSONField()
    state = StateField(choices=State.choices, default=State.OPEN)
    resolution = models.TextField(blank=True)

    class Meta:
        ordering = ("pk",)

    class Guards:
        immutable = ["file", "line_number", "problem", "data"]
        no_delete = True

    def __str__(self) -> str:
        return f"line {self.line_number}: {self.problem}"

    @transition(
        state,
        source=State.OPEN,
        target=State.RESOLVED,
        duty="partners.feed.resolve_exception",
        service="partners.services.feeds.resolve_exception",
        label="Resolve",
    )
    def resolve(self) -> None:
        """The row has been dealt with outside: corrected in a later file, or not needed."""


class BillingEvent(AppendOnly):
    """A row of the billing-event feed, typed. One row per version of an event; rebuildable from its
    FeedRow.
    """

    row = models.OneToOneField(FeedRow, on_delete=models.PROTECT, related_name="billing_event")
    channel = models.ForeignKey("partners.Channel", on_delete=models.PROTECT, related_name="+")
    billing_event_id = models.CharField(max_length=64)
    update_date = models.DateTimeField()
    action = models.CharField(max_length=20)
    transaction_type = models.CharField(max_length=40)
    from_account_id = models.CharField(max_length=64, blank=True)
    to_account_id = models.CharField(max_length=64, blank=True)
    end_user_account_id = models.CharField(max_length=64, blank=True)
    product_id = models.CharField(max_length=64, blank=True)
    agreement_ref = models.CharField(max_length=64, blank=True)
    parent_id = models.CharField(max_length=64, blank=True)
    disbursement_id = models.CharField(max_length=64, blank=True)
    amount = models.DecimalField(max_digits=38, decimal_places=8)
    currency = CurrencyField(blank=True)
    balance_impacting = models.BooleanField(default=False)
    invoice_id = models.CharField(max_length=64, blank=True)
    buyer_invoice_id = models.CharField(max_length=64, blank=True)
    invoiced_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    usage_from = models.DateTimeField(null=True)
    usage_to = models.DateTimeField(null=True, help_text="Inclusive, as the feed prints it.")
    acted_at = models.DateTimeField(
        help_text="When it happened: action date, invoice date, or the row's valid_from."
    )
    bank_trace_id = models.CharField(max_length=100, blank=True)
    broker_id = models.CharField(max_length=40, blank=True)
    deleted = models.BooleanField(default=False, help_text="This version says that the event is void.")

    class Meta:
        ordering = ("pk",)
        indexes = (
            models.Index(fields=["billing_event_id", "-update_date", "-id"], name="partners_event_newest"),
            models.Index(fields=["disbursement_id"], name="partners_event_payment"),
            models.Index(fields=["parent_id"], name="partners_event_parent"),
            models.Index(fields=["buyer_invoice_id"], name="partners_event_invoice"),
        )

    def __str__(self) -> str:
        return f"{self.billing_event_id} {self.action} {self.transaction_type}"
