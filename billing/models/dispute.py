"""A customer contests a line or a document."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from billing.models.invoice import Invoice, InvoiceLine
from o2c.money import AmountField
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition


class Dispute(StateMachine, Record):
    """`amount` of an invoice (of one line, when it names one) that the customer contests.

    The disputed part stays in the receivable and in ageing, shown apart, and is not dunned.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACCEPTED = "accepted", "Accepted"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    class Reason(models.TextChoices):
        PRICE = "price", "Price is not as agreed"
        QUANTITY = "quantity", "Quantity is not as used"
        SERVICE = "service", "Service was not delivered"
        DUPLICATE = "duplicate", "Billed before"
        TAX = "tax", "Tax is wrong"
        OTHER = "other", "Other"

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="disputes")
    line = models.ForeignKey(
        InvoiceLine, null=True, blank=True, on_delete=models.PROTECT, related_name="disputes"
    )
    amount = AmountField(help_text="Contested, with tax")
    reason_code = models.CharField(max_length=20, choices=Reason.choices)
    description = models.TextField(blank=True)
    opened_on = models.DateField()
    state = StateField(choices=State.choices, default=State.OPEN)
    resolved_on = models.DateField(null=True, blank=True)
    resolution = models.CharField(max_length=300, blank=True)
    credit_memo = models.ForeignKey(
        Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="settled_disputes"
    )

    class Meta:
        ordering = ["-opened_on", "-pk"]
        constraints = [
            models.CheckConstraint(name="billing_dispute_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="billing_dispute_resolved_when",
                condition=Q(state="open", resolved_on__isnull=True)
                | (~Q(state="open") & Q(resolved_on__isnull=False)),
            ),
            models.UniqueConstraint(
                fields=["invoice", "line"],
                condition=Q(state="open"),
                nulls_distinct=False,
                name="billing_dispute_one_open",
                violation_error_message="This is in dispute already.",
            ),
        ]

    class Guards:
        no_delete = True
        immutable = ["invoice", "line", "amount"]

    def __str__(self) -> str:
        return f"dispute {self.pk} of {self.invoice}"

    @transition(
        state,
        source=State.OPEN,
        target=State.ACCEPTED,
        duty="billing.dispute.accept",
        service="billing.services.disputes.accept",
        label="Accept and credit",
    )
    def accept(self) -> None:
        """The customer is right: a credit memo follows."""

    @transition(
        state,
        source=State.OPEN,
        target=State.REJECTED,
        duty="billing.dispute.reject",
        service="billing.services.disputes.reject",
        label="Reject",
    )
    def reject(self) -> None:
        """The invoice stands."""

    @transition(
        state,
        source=State.OPEN,
        target=State.WITHDRAWN,
        duty="billing.dispute.withdraw",
        service="billing.services.disputes.withdraw",
        label="Withdraw",
    )
    def withdraw(self) -> None:
        """The customer took it back."""
