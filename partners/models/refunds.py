"""Refunds that the marketplace is asked to give a buyer, the files that ask, the feed's lines that answer."""

from django.db import models
from django.db.models import F, Q

from o2c.money import AmountField, CurrencyField
from o2c.records import AppendOnly, Record
from o2c.states import Condition, StateField, StateMachine, transition


class RefundFile(AppendOnly):
    """One request to AWS: the input of its billing adjustment tool, kept as it was handed over."""

    channel = models.ForeignKey("partners.Channel", on_delete=models.PROTECT, related_name="refund_files")
    document = models.ForeignKey("documents.Document", on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"RF-{self.pk or 0:06d}"


class MarketplaceRefund(StateMachine, Record):
    """Money of ours that AWS is asked to give back to the buyer of one of its invoices, before tax.

    Its values never change: a wrong draft is cancelled. Drafts count against what the invoice has left, so
    two of them cannot promise the same money; the database holds the limit (partners/guards.py).
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        APPROVED = "approved", "Approved"
        SUBMITTED = "submitted", "With AWS"
        CONFIRMED = "confirmed", "In the feed"
        REJECTED = "rejected", "Rejected by AWS"
        CANCELLED = "cancelled", "Cancelled"

    class Reason(models.TextChoices):
        """AWS's codes (reference: marketplaces, 1.5)."""

        TERMS = "INCORRECT_TERMS_ACCEPTED", "Incorrect terms accepted"
        METERING = "INCORRECT_METERING", "Incorrect metering"
        TEST = "TEST_ENVIRONMENT_CHARGES", "Charges of a test environment"
        CHANNEL = "ALTERNATIVE_PROCUREMENT_CHANNEL", "Bought through another channel"
        RENEWAL = "UNINTENDED_RENEWAL", "Unintended renewal"
        DISSATISFIED = "BUYER_DISSATISFACTION", "Buyer is dissatisfied"
        OTHER = "OTHER", "Other"

    ENDED = (State.REJECTED, State.CANCELLED)

    agreement = models.ForeignKey("partners.AwsAgreement", on_delete=models.PROTECT, related_name="refunds")
    invoice_ref = models.CharField("invoice at AWS", max_length=64)
    amount = AmountField(help_text="Before tax, positive.")
    currency = CurrencyField()
    reason_code = models.CharField(max_length=40, choices=Reason.choices)
    description = models.CharField(max_length=500, help_text="What went wrong; the buyer may read it.")
    requested_on = models.DateField()
    state = StateField(choices=State.choices, default=State.DRAFT)
    drafted_by = models.ForeignKey("access.User", on_delete=models.PROTECT, related_name="+")
    approved_by = models.ForeignKey(
        "access.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    file = models.ForeignKey(
        RefundFile, null=True, blank=True, on_delete=models.PROTECT, related_name="refunds"
    )
    adjustment_ref = models.CharField("request id at AWS", max_length=64, blank=True)
    answer = models.TextField("answer of AWS", blank=True)
    confirmed_on = models.DateField(null=True, blank=True)
    credit_memo = models.OneToOneField(
        "billing.Invoice", null=True, blank=True, on_delete=models.PROTECT, related_name="marketplace_refund"
    )

    class Meta:
        ordering = ("-pk",)
        indexes = (models.Index(fields=["agreement", "invoice_ref"], name="partners_refund_invoice"),)
        constraints = (
            models.CheckConstraint(name="partners_refund_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="partners_refund_approved_by_another",
                condition=Q(state__in=["draft", "cancelled"])
                | (Q(approved_by__isnull=False, approved_at__isnull=False) & ~Q(approved_by=F("drafted_by"))),
            ),
            models.CheckConstraint(
                name="partners_refund_went_with_a_file",
                condition=Q(state__in=["draft", "approved", "cancelled"]) | Q(file__isnull=False),
            ),
            models.CheckConstraint(
                name="partners_refund_confirmed_on",
                condition=~Q(state="confirmed") | Q(confirmed_on__isnull=False),
            ),
            models.CheckConstraint(
                name="partners_refund_credited_once_given",
                condition=Q(state="confirmed") | Q(credit_memo__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["adjustment_ref"],
                condition=~Q(adjustment_ref=""),
                name="partners_refund_adjustment_once",
            ),
        )

    class Guards:
        signatures = ["drafted_by", "approved_by"]
        immutable = [
            "agreement", "invoice_ref", "amount", "currency", "reason_code", "description", "requested_on",
            "drafted_by",
        ]  # fmt: skip
        # The feed may show it before AWS's answer is read in; the credit memo is ours and may come later.
        frozen_when = {
            "field": "state",
            "values": ["confirmed", "rejected", "cancelled"],
            "except_": ["adjustment_ref", "credit_memo"],
        }
        no_delete = True

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """How people name it: MR-000012."""
        return f"MR-{self.pk or 0:06d}"

    @transition(
        state,
        source=State.DRAFT,
        target=State.APPROVED,
        duty="partners.refund.approve",
        service="partners.services.refunds.approve",
        label="Approve",
    )
    def approve(self) -> None:
        """A second person agrees; it goes with the next file to AWS."""

    @transition(
        state,
        source=State.APPROVED,
        target=State.SUBMITTED,
        duty="partners.refund.submit",
        service="partners.services.refund_files.submit",
        label="Make the request file",
    )
    def submit(self) -> None:
        """It stands in a file for AWS's billing adjustment tool."""

    @transition(
        state,
        source=State.SUBMITTED,
        target=State.CONFIRMED,
        duty="partners.reconciliation.run",
        label="Confirm",
    )
    def confirm(self) -> None:
        """AWS's feed shows the refund."""

    @transition(
        state,
        source=State.SUBMITTED,
        target=State.REJECTED,
        duty="partners.refund.submit",
        service="partners.services.refund_files.reject",
        label="AWS rejected it",
        conditions=[Condition(lambda r: not r.adjustment_ref, "AWS carried it out")],
    )
    def reject(self) -> None:
        """AWS did not carry it out; what it would have taken is free again."""

    @transition(
        state,
        source=[State.DRAFT, State.APPROVED],
        target=State.CANCELLED,
        duty="partners.refund.cancel",
        service="partners.services.refunds.cancel",
        label="Cancel",
    )
    def cancel(self) -> None:
        """It is not asked for after all."""


class RefundLine(AppendOnly):
    """A refund line of the billing-event feed that is what we asked for. Each line answers one request."""

    refund = models.ForeignKey(MarketplaceRefund, on_delete=models.PROTECT, related_name="lines")
    channel = models.ForeignKey("partners.Channel", on_delete=models.PROTECT, related_name="+")
    billing_event_id = models.CharField(max_length=64)
    amount = AmountField(help_text="As it was when it was matched; positive is given back.")

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(fields=["channel", "billing_event_id"], name="partners_refund_line_once"),
        )

    def __str__(self) -> str:
        return f"{self.billing_event_id}: {self.amount}"
