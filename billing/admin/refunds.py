"""Refunds: what goes back to whom, of which money, and who still has to agree."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from billing.admin import refund_forms
from billing.models import Invoice, Receipt, Refund
from billing.models.refund import PAYEE
from billing.selectors import refunds as selectors
from o2c.console import Act, Column, Fact, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.registry import Anchor
from o2c.controls.approvals.admin.asking import ask_act, needs
from o2c.ledger.models import JournalLine

ACT = "billing.refund.release"


def _draft(refund: Refund, user: Any) -> list[str]:
    return [] if refund.state == Refund.State.DRAFT else ["Only a draft."]


_needs = needs(ACT, _draft)


def _releasable(refund: Refund, user: Any) -> list[str]:
    second = ["you drafted it: a second person releases it"] if refund.drafted_by_id == user.pk else []
    return second + _needs(refund, user)


def refund_act(service: str, unavailable: Any) -> Act:
    """'Refund…' on the page of a receipt or a credit memo."""
    return Act(
        "refund",
        "Refund…",
        service,
        duty="billing.refund.draft",
        form=refund_forms.refund_form,
        reason="required",
        unavailable=unavailable,
        icon="undo",
        primary=False,
        description="Drafts a refund, which somebody else releases. Until then the money stays on account.",
    )


def receipt_refundable(receipt: Receipt, user: Any) -> list[str]:
    if receipt.method == Receipt.Method.MARKETPLACE:
        return ["A marketplace collected it and pays it back itself."]
    left = receipt.state == Receipt.State.RECORDED and receipt.unapplied_amount > 0
    return [] if left else ["Nothing of it is left to refund."]


def memo_refundable(memo: Invoice, user: Any) -> list[str]:
    if memo.kind != Invoice.Kind.CREDIT_MEMO or memo.state != Invoice.State.POSTED:
        return ["Only a posted credit memo is refunded."]
    if memo.channel != Invoice.Channel.DIRECT:
        return ["A marketplace collected it and pays it back itself."]
    return [] if memo.open_amount < 0 else ["Nothing is left of it."]


def refunds_panel(source: Receipt | Invoice) -> Panel:
    """The refunds of a receipt or a credit memo, on its page."""
    columns = ["number", "refund_on", Column("amount", money=source.currency), "state", "paid_on"]
    return Panel("Refunds", source.refunds.order_by("pk"), columns, empty="None.")


@admin.register(Refund)
class RefundAdmin(RecordAdmin):
    area, icon, nav_position = "Cash", "undo", 20
    list_display = ["number", "customer", "source", "refund_on", "amount", "method", "state", "paid_on"]
    list_select_related = [
        "customer", "receipt", "credit_memo__customer", "entity", "drafted_by", "released_by",
    ]  # fmt: skip
    list_filter = ["state", "currency", "method", "reason_code", "entity"]
    search_fields = ["number", "payee_name", "payment_reference", "customer__name", "receipt__number"]
    find_fields = ["number", "payment_reference"]
    find_amounts = ["amount"]
    bulk_amount = "amount"
    fieldsets = [
        ("Refund", {"fields": ["entity", "customer", "currency", "amount", "refund_on", "reason_code"]}),
        ("Paid to", {"fields": list(PAYEE)}),
        ("Hands", {"fields": ["drafted_by", "released_by", "released_at"]}),
        ("At the bank", {"fields": ["paid_on", "payment_reference", "failed_on", "failure"]}),
    ]
    transition_options = {
        "release": {"unavailable": _releasable},
        "pay": {"form": refund_forms.PaidForm},
        "fail": {"form": refund_forms.FailedForm, "danger": True, "primary": False},
        "cancel": {"reason": "required", "danger": True, "primary": False},
    }
    acts = [
        ask_act(ACT, "billing.services.asking.refund", _draft),
        Act(
            "revise",
            "Change…",
            "billing.services.requests.revise_refund",
            duty="billing.refund.draft",
            form=refund_forms.revise_form,
            unavailable=_draft,
            primary=False,
        ),
        Act(
            "reveal_payee",
            "Show bank details…",
            "billing.services.refunds.reveal_payee",
            duty="billing.refund.reveal",
            reason="required",
            primary=False,
            shown=lambda found: [(fmt.label(name), value) for name, value in found.items() if value],
            description="Shown once. That you read them is kept, with your reason.",
        ),
    ]
    empty_text = (
        "No refund yet: use 'Refund' on the page of the receipt or credit memo that is to be paid back."
    )

    @admin.display(description="Pays back")
    def source(self, obj: Refund) -> Any:
        return fmt.link(obj.source)

    def facts(self, obj: Refund) -> list[Fact]:
        where = selectors.payee(obj)
        return [
            Fact("Customer", obj.customer or "payer not identified"),
            Fact("Amount", fmt.money(obj.amount, obj.currency)),
            Fact("Pays back", obj.source),
            Fact("Paid to", obj.payee_name, note=selectors.PAYEE_TEXT[where]),
            Fact("Dated", obj.refund_on),
        ]

    def notices(self, obj: Refund) -> list[tuple[str, str]]:
        if obj.state in (Refund.State.CANCELLED, Refund.State.FAILED):
            return [("warn", f"The bank said: {obj.failure}.")] if obj.failure else []
        where = selectors.payee(obj)
        found = []
        if where == "other":
            found.append(
                (
                    "warn",
                    "It goes to an account that is not the one from which the money came: ask the customer by"
                    " a way that you know, not by that of the letter which gives the account.",
                )
            )
        if where == "unknown":
            found.append(("plain", "The bank did not say from which account the money came."))
        return found

    def panels(self, obj: Refund) -> list[Panel]:
        others = Refund.objects.filter(customer_id=obj.customer_id, entity_id=obj.entity_id)
        if obj.customer_id is None:
            others = Refund.objects.filter(receipt_id=obj.receipt_id)
        books = JournalLine.objects.filter(journal__source=f"billing.refund:{obj.pk}")
        return [
            Panel(
                "The money that it pays back",
                selectors.paid_by(obj.source),
                ["number", "received_on", "payer_name", "payer_account", "method",
                 Column("amount", money=obj.currency)],
                empty="No receipt: the invoice that the credit memo corrects was not paid in money.",
            ),
            Panel(
                "Other refunds of the same payer",
                others.exclude(pk=obj.pk).order_by("-pk"),
                ["number", "refund_on", Column("amount", money="currency"), "state"],
                empty="None.",
            ),
            Panel(
                "Journal lines",
                books.select_related("journal", "account").order_by("pk"),
                [
                    Column("journal.posting_date", "Date"),
                    Column("journal.rule", "Rule"),
                    Column("account", "Account"),
                    Column("debit", money=obj.currency, total=True),
                    Column("credit", money=obj.currency, total=True),
                    "reference",
                ],
                link_rows=False,
                empty="None: a draft is not in the books.",
            ),
        ]  # fmt: skip

    def strip_anchor(self, obj: Refund) -> Anchor | None:
        return Anchor("customer", (obj.customer_id,)) if obj.customer_id else None
