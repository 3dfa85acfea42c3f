"""Invoices and credit memos: documents that stand alone and never change once posted."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from billing.models.bill_run import BillRun
from o2c.access.models import User
from o2c.documents.models import Document
from o2c.ledger.models import LegalEntity
from o2c.money import AmountField, CurrencyField, QuantityField, RateField
from o2c.records import Record
from o2c.states import Condition, StateField, StateMachine, transition
from orders.models import Customer, Order, OrderLine, Segment


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def posted(self) -> InvoiceQuerySet:
        return self.filter(state=Invoice.State.POSTED)

    def open(self) -> InvoiceQuerySet:
        """Posted documents of which something is still owed (a credit memo: still to be used)."""
        return self.posted().exclude(applied=F("total"))

    def payable(self) -> InvoiceQuerySet:
        """Open debts that the customer pays to us: no credit memos, nothing a marketplace collects."""
        return self.open().filter(total__gt=0, channel=Invoice.Channel.DIRECT)

    def overdue(self, as_of: dt.date) -> InvoiceQuerySet:
        return self.payable().filter(due_date__lt=as_of)


class Invoice(StateMachine, Record):
    """What a customer owes, or is credited, by one legal entity in one currency.

    Amounts are signed: those of a credit memo are zero or negative. A posted document holds its own
    copy of every name, address, tax number and term, so that later changes of a customer never
    change it. `applied` is kept by the database from the applications (billing/triggers.py) and has
    the sign of `total`; what is open is `total - applied`.
    """

    class Kind(models.TextChoices):
        INVOICE = "invoice", "Invoice"
        CREDIT_MEMO = "credit_memo", "Credit memo"
        DEBIT_MEMO = "debit_memo", "Debit memo"

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        POSTED = "posted", "Posted"
        VOID = "void", "Void"

    class Channel(models.TextChoices):
        DIRECT = "direct", "Direct"
        AWS = "aws", "AWS Marketplace"

    class TaxTreatment(models.TextChoices):
        STANDARD = "standard", "Taxed"
        EXEMPT = "exempt", "Customer exempt"
        REVERSE_CHARGE = "reverse_charge", "Reverse charge"
        OUT_OF_SCOPE = "out_of_scope", "Not taxable here"
        MARKETPLACE = "marketplace", "Taxed by the marketplace"

    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.INVOICE)
    number = models.CharField(
        max_length=40, unique=True, null=True, blank=True, editable=False, help_text="Given when posted"
    )
    # Foreign keys whose index nothing would read go without: every posted invoice pays for each.
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="invoices", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="invoices", db_index=False)
    order = models.ForeignKey(
        Order,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="invoices",
        help_text="Empty: several orders, or none",
    )
    currency = CurrencyField()
    state = StateField(choices=State.choices, default=State.DRAFT)
    issue_date = models.DateField(help_text="Date of the document and of its journal")
    due_date = models.DateField()
    run = models.ForeignKey(
        BillRun, null=True, blank=True, on_delete=models.PROTECT, related_name="invoices", db_index=False
    )
    po_number = models.CharField(max_length=60, blank=True)
    terms_days = models.PositiveSmallIntegerField(default=30)
    bill_to = models.JSONField(default=dict, help_text="Name, address, tax id, e-mail of the buyer at issue")
    seller = models.JSONField(default=dict, help_text="Legal data and bank details of our entity at issue")
    tax_treatment = models.CharField(
        max_length=16, choices=TaxTreatment.choices, default=TaxTreatment.STANDARD
    )
    tax_note = models.CharField(max_length=300, blank=True, help_text="What the law wants printed")
    net = AmountField(default=0)
    tax = AmountField(default=0)
    total = AmountField(default=0)
    applied = AmountField(default=0, editable=False, help_text="Kept by the database from applications")
    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.DIRECT)
    corrects = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="credit_memos", db_index=False
    )
    reason_code = models.CharField(max_length=40, blank=True, help_text="Why it was credited")
    reason = models.CharField(max_length=300, blank=True)
    drafted_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    posted_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    posted_at = models.DateTimeField(null=True, blank=True)
    voided_on = models.DateField(null=True, blank=True)
    document = models.ForeignKey(
        Document,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="The PDF",
    )

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        ordering = ["-issue_date", "-pk"]
        indexes = [
            models.Index(fields=["customer", "issue_date"], name="billing_invoice_customer"),
            models.Index(fields=["issue_date", "id"], name="billing_invoice_issued"),
            models.Index(
                fields=["due_date"],
                name="billing_invoice_open_due",
                condition=Q(state="posted") & ~Q(applied=F("total")),
            ),
            models.Index(fields=["run", "state"], name="billing_invoice_run", condition=Q(run__isnull=False)),
            # By hand, for the close of a period: few beside those of the runs.
            models.Index(
                fields=["entity", "issue_date"],
                name="billing_invoice_by_hand",
                condition=Q(run__isnull=True) | Q(state="void"),
            ),
            models.Index(
                fields=["corrects"], name="billing_invoice_corrects", condition=Q(corrects__isnull=False)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="billing_invoice_total_is_net_plus_tax",
                condition=Q(total=F("net") + F("tax")),
                violation_error_message="Net and tax do not make the total.",
            ),
            models.CheckConstraint(
                name="billing_invoice_sign",
                condition=Q(kind="credit_memo", total__lte=0) | (~Q(kind="credit_memo") & Q(total__gte=0)),
                violation_error_message="A credit memo is negative, an invoice is not.",
            ),
            models.CheckConstraint(
                name="billing_invoice_numbered_when_posted",
                condition=Q(state="draft", number__isnull=True, posted_at__isnull=True)
                | (~Q(state="draft") & Q(number__isnull=False, posted_at__isnull=False)),
                violation_error_message="A number is given when the document is posted, and only then.",
            ),
            models.CheckConstraint(
                name="billing_invoice_not_over_applied",
                condition=Q(total__gte=0, applied__gte=0, applied__lte=F("total"))
                | Q(total__lt=0, applied__lte=0, applied__gte=F("total")),
                violation_error_message="More would be applied than is open.",
            ),
            models.CheckConstraint(
                name="billing_invoice_void_is_unapplied",
                condition=~Q(state="void") | Q(applied=0, voided_on__isnull=False),
                violation_error_message="A document with applications is not voided: unapply them first.",
            ),
            models.CheckConstraint(
                name="billing_invoice_draft_is_unapplied", condition=~Q(state="draft") | Q(applied=0)
            ),
            models.CheckConstraint(
                name="billing_invoice_posted_by_second_person",
                condition=Q(run__isnull=False)
                | Q(state="draft")
                | (Q(drafted_by__isnull=False, posted_by__isnull=False) & ~Q(posted_by=F("drafted_by"))),
                violation_error_message="Who drafted a document outside a bill run does not post it.",
            ),
            models.CheckConstraint(
                name="billing_invoice_due_after_issue", condition=Q(due_date__gte=F("issue_date"))
            ),
        ]

    class Guards:
        signatures = ["drafted_by", "posted_by"]
        immutable = ["kind", "entity", "customer", "currency", "run"]
        frozen_when = {
            "field": "state",
            "values": ["posted", "void"],
            # `applied` is proved against the applications by a trigger; the PDF is rendered later.
            "except_": ["state", "applied", "document", "voided_on"],
        }

    def __str__(self) -> str:
        return self.number or f"draft {self.get_kind_display().lower()} {self.pk}"

    @property
    def open_amount(self) -> Decimal:
        """What is still owed (a credit memo, negative: what is still to be used), document currency."""
        return self.total - self.applied

    @transition(
        state,
        source=State.DRAFT,
        target=State.POSTED,
        duty="billing.invoice.post",
        service="billing.services.invoices.post",
        label="Post",
        conditions=[
            Condition(lambda i: i.run_id is None, "it belongs to a bill run, which posts it"),
        ],
    )
    def post(self) -> None:
        """Give the document its number and make it immutable."""

    @transition(
        state,
        source=State.POSTED,
        target=State.VOID,
        duty="billing.invoice.void",
        service="billing.services.invoices.void",
        label="Void",
        conditions=[
            Condition(lambda i: i.applied == 0, "cash or credit is applied to it"),
            Condition(lambda i: i.corrects_id is None, "a credit memo is not voided: raise a new invoice"),
        ],
    )
    def void(self) -> None:
        """Reverse the document in the same open period; it keeps its number."""


class InvoiceLine(Record):
    """One line: of a charge that the engine calculated, or entered by hand, or crediting another line.

    The append-only `billing.Charge` of a line is written from `proposal` when the document is
    posted, and points here (`line.charge`); so a draft can be thrown away and leaves nothing billed.
    """

    class Kind(models.TextChoices):
        RECURRING = "recurring", "Recurring"
        USAGE = "usage", "Usage"
        ONE_TIME = "one_time", "One-time"
        PREPAID = "prepaid", "Prepaid"
        MINIMUM = "minimum", "Minimum commitment"
        DRAWDOWN = "drawdown", "Paid by credit"
        WAIVER = "waiver", "Not billed"
        MANUAL = "manual", "Entered by hand"
        CREDIT = "credit", "Credit"

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines", db_index=False)
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=Kind.choices)
    order_line = models.ForeignKey(
        OrderLine,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="invoice_lines",
        db_index=False,
    )
    segment = models.ForeignKey(
        Segment, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    service_from = models.DateField(null=True, blank=True)
    service_to = models.DateField(null=True, blank=True, help_text="Exclusive")
    sku_code = models.CharField(max_length=60, blank=True)
    description = models.CharField(max_length=300)
    quantity = QuantityField(default=1)
    unit = models.CharField(max_length=40, blank=True)
    net = AmountField(help_text="Rounded once, here")
    tax_category = models.CharField(max_length=40, default="standard")
    tax_name = models.CharField(max_length=60, blank=True)
    tax_rate = RateField(default=0, help_text="As a fraction")
    tax = AmountField(default=0, help_text="This line's share of the tax of its rate on the document")
    treatment = models.CharField(max_length=20, blank=True, help_text="How its revenue is recognised")
    deferred = models.BooleanField(
        default=True, help_text="Credits the contract liability; if not, the unbilled receivable"
    )
    trace = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder, help_text="Why this number")
    proposal = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        encoder=DjangoJSONEncoder,
        help_text="Key of the charge that posting writes, as the engine proposed it",
    )
    credits = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="credited_by", db_index=False
    )

    class Meta:
        ordering = ["invoice", "position"]
        indexes = [
            models.Index(
                fields=["order_line", "service_from"],
                name="billing_invoiceline_order",
                condition=Q(order_line__isnull=False),
            ),
            models.Index(
                fields=["credits"], name="billing_invoiceline_credits", condition=Q(credits__isnull=False)
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="billing_invoiceline_position"),
            models.CheckConstraint(
                name="billing_invoiceline_service_period",
                condition=Q(service_from__isnull=True, service_to__isnull=True)
                | Q(service_to__gt=F("service_from")),
            ),
            models.CheckConstraint(
                name="billing_invoiceline_credit_names_its_line",
                condition=~Q(kind="credit") | Q(credits__isnull=False),
            ),
        ]

    class Guards:
        child_of = ("invoice", "state", ["draft"])

    def __str__(self) -> str:
        return f"{self.position}. {self.description}"
