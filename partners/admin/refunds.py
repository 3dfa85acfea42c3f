"""Refunds that AWS is asked to give, the files that ask, and what our bank received."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.utils.safestring import SafeString

from o2c.actor import Actor
from o2c.console import RecordAdmin
from o2c.console import format as fmt
from o2c.console.acts import Act, ListAct
from o2c.console.admin.documents import file_link
from o2c.console.panels import Column, Fact, Panel
from o2c.controls.approvals.admin.asking import ask_act, needs
from partners.models import AwsAgreement, BankCredit, BillingEvent, Channel, MarketplaceRefund, RefundFile
from partners.selectors.refunds import invoices, refundable
from partners.services import refund_files
from partners.services.refunds import ACT

AREA = "Partners"
MOST = Decimal(10) ** 15


def refund_form(agreement: AwsAgreement) -> type[forms.Form]:
    """The invoices of the agreement of which something is left."""
    choices = [
        (invoice, f"{invoice} of {on}: {fmt.plain_money(left, agreement.currency)} {agreement.currency} left")
        for invoice, on, _billed, _taken, left in invoices(agreement)
        if left > 0
    ]
    fields = {
        "invoice_ref": forms.ChoiceField(label="Invoice at AWS", choices=choices),
        "amount": forms.DecimalField(
            label="Amount before tax", min_value=Decimal("0.01"), max_value=MOST, decimal_places=2
        ),
        "reason_code": forms.ChoiceField(label="Reason for AWS", choices=MarketplaceRefund.Reason.choices),
        "description": forms.CharField(
            max_length=500, widget=forms.Textarea(attrs={"rows": 2}), label="What went wrong"
        ),
    }
    return type("RefundForm", (forms.Form,), fields)


DRAFT = Act(
    "draft_refund", "Draft a refund…", "partners.services.refunds.draft", duty="partners.refund.draft",
    form=refund_form, reason="none", primary=False, icon="undo",
    unavailable=lambda agreement, user: []
    if any(left > 0 for *_rest, left in invoices(agreement))
    else ["AWS's feed shows no invoice of it of which something is left."],
    description="Somebody else approves it; AWS gives the money back and keeps it from our next payment.",
)  # fmt: skip


def invoices_panel(agreement: AwsAgreement) -> Panel:
    """What AWS billed, what was refunded or asked for, what is left."""
    money = agreement.currency
    return Panel(
        "Invoices at AWS",
        invoices(agreement),
        [
            Column(lambda row: row[0], "Invoice", numeric=False),
            Column(lambda row: row[1], "Of"),
            Column(lambda row: row[2], "Billed", money=money, total=True),
            Column(lambda row: row[3], "Refunded or asked for", money=money, total=True),
            Column(lambda row: row[4], "Left", money=money, total=True),
        ],
        link_rows=False,
        note="Revenue before tax, of this agreement.",
        empty="AWS's feed shows none yet.",
    )


def _undrafted(row: MarketplaceRefund, user: Any) -> list[str]:
    return [] if row.state == "draft" else [f"It is {row.get_state_display().lower()}."]


class AnswersForm(forms.Form):
    text = forms.CharField(
        label="Output of the tool",
        widget=forms.Textarea(attrs={"rows": 8, "class": "font-mono"}),
        help_text="The whole file, with its header. The same file twice changes nothing.",
    )


def read_answers(*, text: str, actor: Actor, reason: str = "") -> refund_files.Read:
    return refund_files.read_answers(text.strip() + "\n", actor=actor, reason=reason)


def _said(read: refund_files.Read) -> Sequence[tuple[str, str]]:
    return [
        ("Carried out", str(read.completed)),
        ("Rejected", str(read.rejected)),
        ("Known or pending", str(read.unchanged)),
        ("Not ours", ", ".join(read.unknown) or "none"),
    ]


@admin.register(MarketplaceRefund)
class MarketplaceRefundAdmin(RecordAdmin):
    area = AREA
    icon = "undo"
    nav_position = 16
    nav_title = "Marketplace refunds"
    list_display = ["number", "agreement", "invoice_ref", "amount", "reason_code", "state", "requested_on"]
    list_select_related = ["agreement"]
    list_filter = ["state", "reason_code", "requested_on"]
    search_fields = ["invoice_ref", "agreement__number", "adjustment_ref"]
    find_fields = ["invoice_ref", "=adjustment_ref"]
    find_amounts = ["amount"]
    bulk_amount = "amount"
    empty_text = "A refund is drafted on the page of its agreement."
    transition_options = {
        "approve": {"unavailable": needs(ACT, _undrafted)},
        "submit": {"bulk_service": "partners.services.refund_files.submit_many", "follow": True},
        "reject": {"reason": "required", "danger": True, "bulk": False},
        "cancel": {"reason": "required", "danger": True, "primary": False},
    }
    acts = [ask_act(ACT, "partners.services.refunds.ask", _undrafted)]
    list_acts = [
        ListAct(
            "answers", "Read AWS's answers in", "partners.admin.refunds.read_answers",
            duty="partners.refund.submit", form=AnswersForm, reason="none", shown=_said,
            icon="mark_email_read",
        )
    ]  # fmt: skip
    fieldsets = [
        ("What AWS is asked for", {"fields": ["agreement", "invoice_ref", "reason_code", "description"]}),
        ("Who", {"fields": ["drafted_by", "approved_by", "approved_at"]}),
        (
            "What became of it",
            {"fields": ["file", "adjustment_ref", "answer", "confirmed_on", "credit_memo"]},
        ),
    ]

    def facts(self, obj: Any) -> list[Fact]:
        left = refundable(obj.agreement_id, obj.invoice_ref)
        return [
            Fact("Refund", fmt.money(obj.amount, obj.currency), note="before tax"),
            Fact("Agreement", obj.agreement),
            Fact("Invoice at AWS", obj.invoice_ref, note=f"of {left.invoiced_on}"),
            Fact("Billed", fmt.money(left.billed, obj.currency)),
            Fact("Left to refund", fmt.money(left.left, obj.currency)),
        ]

    def notices(self, obj: Any) -> list[tuple[str, str]]:
        if obj.state == "submitted" and not obj.adjustment_ref:
            return [("plain", "AWS's answer is not read in yet. Run its file within eight hours.")]
        if obj.state == "confirmed" and obj.credit_memo_id is None:
            return [("warn", "Our books still show the sale: billing credits our invoice of the month.")]
        return []

    def panels(self, obj: Any) -> list[Panel]:
        return [
            Panel(
                "Lines of the feed",
                obj.lines.all(),
                ["billing_event_id", Column("amount", money=obj.currency, total=True), "recorded_at"],
                link_rows=False,
                empty="The feed does not show it yet.",
            )
        ]


@admin.register(RefundFile)
class RefundFileAdmin(RecordAdmin):
    area = AREA
    icon = "outgoing_mail"
    nav_position = 17
    nav_title = "Refund files for AWS"
    list_display = ["number", "channel", "made_at", "file"]
    list_select_related = ["channel", "document"]
    empty_text = "A file is made of approved refunds: select them under 'Marketplace refunds'."

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).defer("document__content")

    @admin.display(description="Number", ordering="pk")
    def number(self, obj: Any) -> str:
        return str(obj)

    @admin.display(description="File")
    def file(self, obj: Any) -> SafeString:
        return file_link(obj.document, obj.document.name)

    def facts(self, obj: Any) -> list[Fact]:
        return [Fact("For", obj.channel), Fact("Made", obj.made_at), Fact("File", self.file(obj))]

    def panels(self, obj: Any) -> list[Panel]:
        return [
            Panel(
                "Refunds",
                obj.refunds.select_related("agreement"),
                [
                    Column(str, "Number", link=True), "agreement", "invoice_ref",
                    Column("amount", money="currency", total=True), "state", "adjustment_ref",
                ],
                note="Run AWS's billing adjustment tool with it within eight hours; read its output in.",
            )
        ]  # fmt: skip


class CreditForm(forms.Form):
    channel = forms.ModelChoiceField(Channel.objects.all())
    bank_trace_id = forms.CharField(max_length=100, label="Trace", help_text="As on the statement.")
    amount = forms.DecimalField(min_value=Decimal("0.01"), max_value=MOST, decimal_places=2)
    currency = forms.CharField(min_length=3, max_length=3, initial="USD")
    value_date = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    payer_account = forms.CharField(max_length=120, label="Paid from", help_text="IBAN, or account number")


@admin.register(BankCredit)
class BankCreditAdmin(RecordAdmin):
    area = AREA
    icon = "account_balance_wallet"
    nav_position = 45
    nav_title = "Bank credits"
    list_display = ["bank_trace_id", "channel", "value_date", "amount", "currency", "payer_account"]
    list_select_related = ["channel"]
    list_filter = ["channel", "value_date"]
    search_fields = ["bank_trace_id"]
    list_acts = [
        ListAct(
            "record", "Record a bank credit", "partners.services.banks.record_credit",
            duty="partners.bank.record_credit", form=CreditForm, reason="none",
            description="What our bank says of a marketplace's payment. It posts nothing: the feed does.",
        )
    ]  # fmt: skip
    empty_text = "Lines of our bank statement that pay a disbursement stand here."

    def panels(self, obj: Any) -> list[Panel]:
        return [
            Panel(
                "Payments with this trace",
                BillingEvent.objects.filter(channel=obj.channel_id, bank_trace_id=obj.bank_trace_id),
                ["billing_event_id", "transaction_type", "acted_at", Column("amount", money="currency")],
                empty="The feed does not show it yet.",
            )
        ]
