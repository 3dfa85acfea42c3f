"""Money that came in, and what it was applied to."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from billing.models.invoice import Invoice
from o2c.ledger.models import LegalEntity
from o2c.money import AmountField, CurrencyField
from o2c.records import AppendOnly, Record
from o2c.states import Condition, StateField, StateMachine, transition
from o2c.vault import PREFIX, SealedField
from orders.models import Customer


class ReceiptQuerySet(models.QuerySet["Receipt"]):
    def unapplied(self) -> ReceiptQuerySet:
        """Receipts of which something is not applied yet."""
        return self.filter(state=Receipt.State.RECORDED, applied__lt=F("amount"))


class Receipt(StateMachine, Record):
    """Money received by one of our entities. `applied` is kept by the database from the applications."""

    class State(models.TextChoices):
        RECORDED = "recorded", "Recorded"
        REVERSED = "reversed", "Reversed"

    class Method(models.TextChoices):
        WIRE = "wire", "Wire transfer"
        ACH = "ach", "ACH"
        SEPA = "sepa", "SEPA credit transfer"
        CHECK = "check", "Check"
        CARD = "card", "Card"
        MARKETPLACE = "marketplace", "Marketplace disbursement"

    number = models.CharField(max_length=40, unique=True, editable=False)
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="receipts")
    customer = models.ForeignKey(
        Customer,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="receipts",
        help_text="Empty: the payer is not identified yet",
    )
    currency = CurrencyField()
    amount = AmountField()
    applied = AmountField(default=0, editable=False, help_text="Kept by the database from applications")
    received_on = models.DateField(help_text="Value date at the bank")
    method = models.CharField(max_length=12, choices=Method.choices, default=Method.WIRE)
    reference = models.CharField(max_length=140, blank=True, help_text="What the payer wrote")
    payer_name = models.CharField(max_length=140, blank=True)
    payer_account = SealedField(blank=True, help_text="The account it was paid from, if the bank says so")
    external_id = models.CharField(
        max_length=100, unique=True, null=True, blank=True, help_text="Id at the bank or processor"
    )
    state = StateField(choices=State.choices, default=State.RECORDED)
    reversed_on = models.DateField(null=True, blank=True)

    objects = ReceiptQuerySet.as_manager()

    class Meta:
        ordering = ["-received_on", "-pk"]
        indexes = [
            models.Index(fields=["customer", "received_on"], name="billing_receipt_customer"),
            models.Index(
                fields=["received_on"],
                name="billing_receipt_unapplied",
                condition=Q(applied__lt=F("amount")),
            ),
        ]
        constraints = [
            models.CheckConstraint(name="billing_receipt_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="billing_receipt_not_over_applied",
                condition=Q(applied__gte=0, applied__lte=F("amount")),
                violation_error_message="More would be applied than the receipt holds.",
            ),
            models.CheckConstraint(
                name="billing_receipt_reversed_is_unapplied",
                condition=~Q(state="reversed") | Q(applied=0, reversed_on__isnull=False),
            ),
            models.CheckConstraint(
                name="billing_receipt_account_is_sealed",
                condition=Q(payer_account="") | Q(payer_account__startswith=PREFIX),
            ),
        ]

    class Guards:
        no_delete = True
        immutable = [
            "number", "entity", "currency", "amount", "received_on", "method", "external_id", "payer_account",
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.number

    @property
    def unapplied_amount(self) -> Decimal:
        """What is left to apply or to refund, in the receipt's currency."""
        return self.amount - self.applied

    @transition(
        state,
        source=State.RECORDED,
        target=State.REVERSED,
        duty="billing.receipt.reverse",
        service="billing.services.receipts.reverse",
        label="Reverse",
        conditions=[Condition(lambda r: r.applied == 0, "it is applied, or refunded: undo that first")],
    )
    def reverse(self) -> None:
        """The bank took the money back, or it was recorded in error."""


class Application(AppendOnly):
    """`amount` of a source set against an invoice; undone by a second row that `reverses` it.

    Positive settles, negative is a reversal. The source is a receipt, a credit memo, or neither: a
    short payment or a write-off, which settles the invoice with an expense, or a marketplace, which
    collected it and kept its fee. A refund takes of a receipt or a credit memo and settles no invoice.
    `functional_difference`
    is the realised exchange difference in the entity's currency, gain positive.
    """

    class Kind(models.TextChoices):
        RECEIPT = "receipt", "Receipt"
        CREDIT_MEMO = "credit_memo", "Credit memo"
        SHORT_PAY = "short_pay", "Short payment accepted"
        WRITE_OFF = "write_off", "Write-off"
        MARKETPLACE = "marketplace", "Settled by the marketplace"
        REFUND = "refund", "Refund"

    class MatchedBy(models.TextChoices):
        PERSON = "person", "A person"
        REFERENCE = "reference", "Reference"
        AMOUNT = "amount", "Unique amount"

    kind = models.CharField(max_length=12, choices=Kind.choices)
    receipt = models.ForeignKey(
        Receipt, null=True, blank=True, on_delete=models.PROTECT, related_name="applications"
    )
    credit_memo = models.ForeignKey(
        Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="uses"
    )
    invoice = models.ForeignKey(
        Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="applications"
    )
    refund = models.ForeignKey(
        "billing.Refund", null=True, blank=True, on_delete=models.PROTECT, related_name="applications"
    )
    amount = AmountField()
    applied_on = models.DateField()
    reason_code = models.CharField(max_length=40, blank=True)
    note = models.CharField(max_length=300, blank=True)
    matched_by = models.CharField(max_length=10, choices=MatchedBy.choices, default=MatchedBy.PERSON)
    functional_difference = AmountField(default=0)
    reverses = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversed_by"
    )

    class Meta:
        ordering = ["applied_on", "pk"]
        indexes = [
            models.Index(fields=["applied_on"], name="billing_application_on"),
            models.Index(
                fields=["applied_on"],
                name="billing_application_expense",
                condition=Q(kind__in=["short_pay", "write_off"]),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="billing_application_has_its_source",
                condition=Q(kind__in=["receipt", "refund"], receipt__isnull=False, credit_memo__isnull=True)
                | Q(kind__in=["credit_memo", "refund"], receipt__isnull=True, credit_memo__isnull=False)
                | Q(
                    kind__in=["short_pay", "write_off", "marketplace"],
                    receipt__isnull=True,
                    credit_memo__isnull=True,
                ),
            ),
            models.CheckConstraint(
                name="billing_application_has_its_target",
                condition=Q(kind="refund", refund__isnull=False, invoice__isnull=True)
                | (~Q(kind="refund") & Q(refund__isnull=True, invoice__isnull=False)),
            ),
            models.CheckConstraint(
                name="billing_application_sign",
                condition=Q(reverses__isnull=True, amount__gt=0) | Q(reverses__isnull=False, amount__lt=0),
            ),
            models.CheckConstraint(
                name="billing_application_expense_has_reason",
                condition=~Q(kind__in=["short_pay", "write_off"]) | ~Q(reason_code=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount} to {self.invoice or self.refund}"
