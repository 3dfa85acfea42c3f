"""Money that goes back to a customer: of a receipt, or of a credit memo, that nothing else has used."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from billing.models.invoice import Invoice
from billing.models.receipt import Receipt
from o2c.access.models import User
from o2c.ledger.models import LegalEntity
from o2c.money import AmountField, CurrencyField
from o2c.records import Record
from o2c.states import StateField, StateMachine, transition
from o2c.vault import PREFIX, SealedField
from orders.models import Customer

PAYEE = ("method", "payee_name", "payee_account", "payee_routing", "payee_swift", "processor_reference")


class Refund(StateMachine, Record):
    """One amount of one source, paid back once. A released refund counts as applied in its source.

    So what is refunded cannot be applied, and the other way round: the database writes an `Application` of
    kind refund as it is released, and reverses it when the payment fails (billing/refund_triggers.py).
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        RELEASED = "released", "Released"
        PAID = "paid", "Paid"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    class Method(models.TextChoices):
        WIRE = "wire", "Wire transfer"
        ACH = "ach", "ACH"
        SEPA = "sepa", "SEPA credit transfer"
        CARD = "card", "Card"

    class Reason(models.TextChoices):
        OVERPAID = "overpaid", "Paid more than was owed"
        DUPLICATE = "duplicate", "Paid twice"
        NOT_OURS = "not_ours", "Not meant for us"
        CREDITED = "credited", "Credited after it was paid"

    OUT = (State.RELEASED, State.PAID)

    number = models.CharField(max_length=40, unique=True, editable=False)
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="refunds")
    customer = models.ForeignKey(
        Customer,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="refunds",
        help_text="Empty: the payer of the receipt is not identified",
    )
    currency = CurrencyField()
    receipt = models.ForeignKey(
        Receipt, null=True, blank=True, on_delete=models.PROTECT, related_name="refunds"
    )
    credit_memo = models.ForeignKey(
        Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="refunds"
    )
    amount = AmountField()
    refund_on = models.DateField(help_text="Date of the refund and of its journal")
    reason_code = models.CharField(max_length=12, choices=Reason.choices)
    method = models.CharField(max_length=12, choices=Method.choices)
    payee_name = models.CharField(max_length=140)
    payee_account = SealedField(blank=True, help_text="IBAN, or account number")
    payee_routing = SealedField(blank=True, help_text="Routing number, where used")
    payee_swift = models.CharField(max_length=11, blank=True)
    processor_reference = models.CharField(
        max_length=100, blank=True, help_text="The processor's id of the payment by card"
    )
    state = StateField(choices=State.choices, default=State.DRAFT)
    drafted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    released_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    released_at = models.DateTimeField(null=True, blank=True)
    functional_difference = AmountField(
        default=0, editable=False, help_text="Realised on release, in the entity's currency; gain positive"
    )
    paid_on = models.DateField(null=True, blank=True, help_text="Value date at the bank")
    payment_reference = models.CharField(max_length=100, blank=True, help_text="The bank's id of the payment")
    failed_on = models.DateField(null=True, blank=True)
    failure = models.CharField(max_length=300, blank=True, help_text="What the bank said")

    class Meta:
        ordering = ["-refund_on", "-pk"]
        indexes = [
            models.Index(
                fields=["refund_on"], name="billing_refund_open", condition=Q(state__in=["draft", "released"])
            )
        ]
        constraints = [
            models.CheckConstraint(name="billing_refund_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="billing_refund_one_source",
                condition=Q(receipt__isnull=False, credit_memo__isnull=True)
                | Q(receipt__isnull=True, credit_memo__isnull=False, customer__isnull=False),
                violation_error_message="A refund is of one receipt, or of one credit memo.",
            ),
            models.CheckConstraint(
                name="billing_refund_names_its_account",
                condition=Q(method="card", payee_account="", payee_routing="", payee_swift="")
                & ~Q(processor_reference="")
                | (~Q(method="card") & Q(processor_reference="") & ~Q(payee_account="")),
                violation_error_message="By card it names the processor's payment, otherwise an account.",
            ),
            models.CheckConstraint(
                name="billing_refund_account_is_sealed",
                condition=Q(payee_account="") | Q(payee_account__startswith=PREFIX),
            ),
            models.CheckConstraint(
                name="billing_refund_routing_is_sealed",
                condition=Q(payee_routing="") | Q(payee_routing__startswith=PREFIX),
            ),
            models.CheckConstraint(
                name="billing_refund_released_by_second_person",
                condition=Q(
                    state__in=["draft", "cancelled"], released_by__isnull=True, released_at__isnull=True
                )
                | (
                    Q(state__in=["released", "paid", "failed"], released_at__isnull=False)
                    & Q(released_by__isnull=False)
                    & ~Q(released_by=F("drafted_by"))
                ),
                violation_error_message="Who drafted a refund does not release it.",
            ),
            models.CheckConstraint(
                name="billing_refund_paid_with_its_day",
                condition=Q(state="paid", paid_on__gte=F("refund_on"), failed_on__isnull=True)
                & ~Q(payment_reference="")
                | Q(state="failed", failed_on__gte=F("refund_on"))
                & ~Q(failure="")
                & (Q(paid_on__isnull=True) | Q(failed_on__gte=F("paid_on")))
                | Q(
                    state__in=["draft", "released", "cancelled"], paid_on__isnull=True, failed_on__isnull=True
                ),
                violation_error_message="Paid, or failed, on a day that is not before the refund's.",
            ),
        ]

    class Guards:
        signatures = ["drafted_by", "released_by"]
        no_delete = True
        immutable = ["number", "entity", "customer", "currency", "receipt", "credit_memo", "drafted_by"]
        frozen_when = {
            "field": "state",
            "values": ["released", "paid", "failed", "cancelled"],
            "except_": ["state", "paid_on", "payment_reference", "failed_on", "failure"],
        }

    def __str__(self) -> str:
        return self.number

    @property
    def source(self) -> Receipt | Invoice:
        """The receipt or the credit memo that it pays back."""
        found = self.receipt or self.credit_memo
        assert found is not None
        return found

    @transition(
        state,
        source=State.DRAFT,
        target=State.RELEASED,
        duty="billing.refund.release",
        service="billing.services.refunds.release",
        label="Release",
    )
    def release(self) -> None:
        """Order the payment: from here on the money is no longer the customer's credit."""

    @transition(
        state,
        source=State.RELEASED,
        target=State.PAID,
        duty="billing.refund.record_paid",
        service="billing.services.refunds.record_paid",
        label="Record as paid",
    )
    def pay(self) -> None:
        """The bank's statement shows the payment."""

    @transition(
        state,
        source=[State.RELEASED, State.PAID],
        target=State.FAILED,
        duty="billing.refund.record_failure",
        service="billing.services.refunds.record_failure",
        label="Record as failed",
    )
    def fail(self) -> None:
        """The bank refused it, or sent it back: it is the customer's credit again."""

    @transition(
        state,
        source=State.DRAFT,
        target=State.CANCELLED,
        duty="billing.refund.cancel",
        service="billing.services.refunds.cancel",
        label="Cancel",
    )
    def cancel(self) -> None:
        """It will not be paid; the number stays."""
