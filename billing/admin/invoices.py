"""Invoices and credit memos, and their lines."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from billing.admin import forms, pages, usage_page
from billing.admin.explain import why_line
from billing.admin.refunds import memo_refundable, refund_act, refunds_panel
from billing.models import Application, Dispute, Invoice, InvoiceDelivery, InvoiceLine
from o2c.console import Act, Column, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.admin.documents import file_link
from o2c.console.registry import Anchor, TimelineEntry
from o2c.controls.approvals.admin.asking import ask_act, needs, propose_act
from o2c.ledger.models import JournalLine


def _posted(invoice: Invoice, user: Any) -> list[str]:
    return [] if invoice.state == Invoice.State.POSTED else ["Only a posted document."]


def _posted_invoice(invoice: Invoice, user: Any) -> list[str]:
    if invoice.kind == Invoice.Kind.CREDIT_MEMO:
        return ["It is a credit memo."]
    return _posted(invoice, user)


def _owed(invoice: Invoice, user: Any) -> list[str]:
    return _posted_invoice(invoice, user) or ([] if invoice.open_amount > 0 else ["Nothing is open of it."])


def _usable(invoice: Invoice, user: Any) -> list[str]:
    if invoice.kind != Invoice.Kind.CREDIT_MEMO:
        return ["Only a credit memo is used against invoices."]
    return _posted(invoice, user) or ([] if invoice.open_amount < 0 else ["Nothing is left of it."])


def _own_draft(invoice: Invoice, user: Any) -> list[str]:
    if invoice.state == Invoice.State.DRAFT and invoice.run_id is None:
        return []
    return ["Only a draft outside a bill run."]


def _second_person(invoice: Invoice, user: Any) -> list[str]:
    return ["you drafted it: a second person posts it"] if invoice.drafted_by_id == user.pk else []


def _draft_credit(invoice: Invoice, user: Any) -> list[str]:
    is_draft = invoice.kind == Invoice.Kind.CREDIT_MEMO and invoice.state == Invoice.State.DRAFT
    return [] if is_draft else ["Only a drafted credit memo is asked for."]


_credit_needs = needs("billing.credit.post", _draft_credit)


def _postable(invoice: Invoice, user: Any) -> list[str]:
    return _second_person(invoice, user) + _credit_needs(invoice, user)


def _direct(invoice: Invoice, user: Any) -> list[str]:
    if invoice.channel != Invoice.Channel.DIRECT:
        return ["A marketplace bills it to the customer."]
    return _posted(invoice, user)


PRINTED = (
    "legal_name", "name", "line1", "line2", "city", "region", "postal_code", "country", "tax_id",
    "registration", "email", "bank_name", "bank_account", "bank_routing", "iban", "swift",
)  # fmt: skip


def _party(snapshot: dict[str, Any]) -> SafeString:
    """A party in the order in which its document prints it; what the document says besides comes last."""
    names = [name for name in PRINTED if name in snapshot]
    return fmt.pairs({name: snapshot[name] for name in [*names, *(n for n in snapshot if n not in names)]})


@admin.register(Invoice)
class InvoiceAdmin(RecordAdmin):
    area, icon, nav_position = "Billing", "receipt_long", 20
    list_display = ["name", "customer", "issue_date", "due_date", "total", "open", "channel", "state"]
    list_select_related = ["customer"]
    list_filter = ["state", "kind", "currency", "channel", "entity", "tax_treatment"]
    search_fields = ["number", "po_number", "customer__name", "customer__number"]
    find_fields = ["number", "po_number"]
    find_amounts = ["total"]
    bulk_amount = "total"
    fieldsets = [
        (
            "Document",
            {
                "fields": [
                    "kind",
                    "entity",
                    "customer",
                    "order",
                    "po_number",
                    "issue_date",
                    "due_date",
                    "terms_days",
                ]
            },
        ),
        ("Tax", {"fields": ["tax_treatment", "tax_note", "net", "tax", "total"]}),
        ("Parties, as printed", {"fields": ["billed_to", "sold_by"]}),
        (
            "Where it comes from",
            {"fields": ["run", "corrects", "reason_code", "reason", "drafted_by", "posted_by", "posted_at"]},
        ),
    ]
    transition_options = {
        "post": {"unavailable": _postable},
        "void": {"reason": "required", "danger": True, "bulk": False},
    }
    acts = [
        Act(
            "credit",
            "Credit…",
            "billing.services.requests.credit_invoice",
            duty="billing.credit.draft",
            form=forms.credit_form,
            reason="required",
            unavailable=_posted_invoice,
            description="Drafts a credit memo, which a second person posts.",
        ),
        ask_act("billing.credit.post", "billing.services.asking.credit", _draft_credit),
        Act(
            "dispute",
            "Open dispute…",
            "billing.services.disputes.open_dispute",
            duty="billing.dispute.open",
            form=forms.dispute_form,
            unavailable=_posted_invoice,
        ),
        Act(
            "short_pay",
            "Accept short payment…",
            "billing.services.applications.accept_short_payment",
            duty="billing.shortpay.accept",
            form=forms.ShortPayForm,
            unavailable=_owed,
        ),
        Act(
            "write_off",
            "Write off…",
            "billing.services.applications.write_off",
            duty="billing.writeoff.post",
            form=forms.WriteOffForm,
            reason="required",
            danger=True,
            unavailable=_owed,
        ),
        propose_act(
            "billing.shortpay.accept",
            "ask_short_pay",
            "Ask to accept short payment…",
            "billing.services.asking.short_payment",
            _owed,
            forms.ShortPayForm,
        ),
        propose_act(
            "billing.writeoff.post",
            "ask_write_off",
            "Ask for write-off…",
            "billing.services.asking.write_off",
            _owed,
            forms.WriteOffForm,
        ),
        Act(
            "use_credit",
            "Use against invoices…",
            "billing.services.requests.apply_credit_memo",
            duty="billing.receipt.apply",
            form=forms.use_credit_form,
            unavailable=_usable,
        ),
        refund_act("billing.services.requests.refund_credit_memo", memo_refundable),
        Act(
            "render",
            "Make PDF",
            "billing.services.requests.render",
            duty="billing.invoice.render",
            reason="none",
            bulk=True,
            unavailable=lambda i, user: _posted(i, user) or (["It has its PDF."] if i.document_id else []),
        ),
        Act(
            "resend",
            "Send…",
            "billing.services.delivery.resend",
            duty="billing.delivery.queue",
            form=forms.ResendForm,
            unavailable=_direct,
        ),
        Act(
            "discard",
            "Delete draft",
            "billing.services.requests.delete_draft",
            duty="billing.invoice.draft",
            danger=True,
            unavailable=_own_draft,
        ),
    ]
    list_acts = [
        ListAct(
            "draft",
            "Draft invoice",
            "billing.services.requests.draft_invoice",
            duty="billing.invoice.draft",
            form=forms.ManualInvoiceForm,
        )
    ]
    why_fields = {"total": "billing.admin.explain.document_total"}
    empty_text = "No invoice yet: a bill run makes them."
    wide = True
    exclude = ["bill_to", "seller"]  # shown as printed

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("reports/ageing/", view(pages.aged), name="billing_ageing"),
            path("reports/usage/", view(usage_page.where_usage_went), name="billing_usage_balance"),
            path("reports/overdue/", view(pages.work_list), name="billing_overdue"),
            path(
                "reports/statement/<int:customer_id>/<int:entity_id>/<str:currency>/",
                view(pages.statement),
                name="billing_statement",
            ),
            *super().get_urls(),
        ]

    def billed_to(self, obj: Invoice) -> SafeString:
        return _party(obj.bill_to)

    def sold_by(self, obj: Invoice) -> SafeString:
        return _party(obj.seller)

    def name(self, obj: Invoice) -> str:
        return str(obj)

    name.short_description = "Document"  # type: ignore[attr-defined]
    name.admin_order_field = "number"  # type: ignore[attr-defined]

    def open(self, obj: Invoice) -> SafeString:
        return fmt.money(obj.open_amount if obj.state == Invoice.State.POSTED else None, obj.currency)

    def facts(self, obj: Invoice) -> list[Fact]:
        why = reverse("admin:billing_invoice_why", args=(obj.pk, "total"))
        pdf = file_link(obj.document, "Open PDF") if obj.document else None
        facts = [
            Fact("Customer", obj.customer),
            Fact("Total", fmt.money(obj.total, obj.currency, why=why)),
            Fact("Open", fmt.money(obj.open_amount, obj.currency)),
            Fact("Due", obj.due_date),
            Fact("PDF", pdf),
        ]
        if obj.corrects is not None:
            facts.append(Fact("Credits", obj.corrects))
        return facts

    def notices(self, obj: Invoice) -> list[tuple[str, str]]:
        found = []
        if obj.channel != Invoice.Channel.DIRECT:
            found.append(
                ("plain", "A marketplace bills and collects it: not delivered and not dunned by us.")
            )
        for dispute in obj.disputes.filter(state=Dispute.State.OPEN):
            amount = fmt.plain_money(dispute.amount, obj.currency)
            found.append(
                ("warn", f"{amount} {obj.currency} in dispute: {dispute.get_reason_code_display()}.")
            )
        return found

    def panels(self, obj: Invoice) -> list[Panel]:
        found = [*self._document(obj), *self._what_became_of_it(obj)]
        if obj.kind == Invoice.Kind.CREDIT_MEMO:
            found.insert(2, refunds_panel(obj))
        return found

    def _document(self, obj: Invoice) -> list[Panel]:
        return [
            Panel(
                "Lines",
                obj.lines.select_related("order_line__order"),
                [
                    "position",
                    "description",
                    "service_from",
                    "service_to",
                    "quantity",
                    "unit",
                    Column("tax_rate", "Tax rate", numeric=True),
                    Column("tax", money=obj.currency),
                    Column("net", money=obj.currency, total=True, why=why_line),
                ],
                limit=200,
            ),
            Panel(
                "Settled by",
                Application.objects.filter(invoice=obj).select_related("receipt", "credit_memo"),
                [
                    "applied_on",
                    "kind",
                    Column(lambda row: row.receipt or row.credit_memo, "Source"),
                    Column("amount", money=obj.currency, total=True),
                    "reason_code",
                    "matched_by",
                    Column(lambda row: "undone" if row.reverses_id else "", "Undone", numeric=False),
                ],
                link_rows=False,
                empty="Nothing was applied yet.",
            ),
        ]

    def _what_became_of_it(self, obj: Invoice) -> list[Panel]:
        books = JournalLine.objects.filter(journal__source=f"billing.invoice:{obj.pk}").select_related(
            "journal", "account"
        )
        return [
            Panel(
                "Credit memos",
                obj.credit_memos.all(),
                [
                    Column(str, "Document", link=True),
                    "issue_date",
                    Column("total", money=obj.currency),
                    "state",
                ],
                empty="None.",
            ),
            Panel(
                "Disputes",
                obj.disputes.select_related("line"),
                ["opened_on", "reason_code", Column("amount", money=obj.currency), "state", "resolution"],
                empty="None.",
            ),
            Panel(
                "Delivery",
                obj.deliveries.all(),
                ["address", "occasion", "state", "attempts", "sent_at", "last_error"],
                empty="Not queued: only posted, not zero, and with an address.",
            ),
            Panel(
                "Journal lines",
                books.order_by("pk"),
                [
                    Column("journal.posting_date", "Date"),
                    Column("journal.rule", "Rule"),
                    Column("account", "Account"),
                    Column("debit", money=obj.currency, total=True),
                    Column("credit", money=obj.currency, total=True),
                    "reference",
                ],
                link_rows=False,
                limit=100,
                empty="None: a draft is not in the books, and what comes to zero moves nothing.",
            ),
        ]

    def strip_anchor(self, obj: Invoice) -> Anchor | None:
        if obj.order_id:
            return Anchor("order", (obj.order_id,))
        orders = set(obj.lines.exclude(order_line=None).values_list("order_line__order_id", flat=True))
        return Anchor("order", tuple(sorted(orders))) if orders else Anchor("customer", (obj.customer_id,))

    def timeline_related(self, obj: Invoice) -> list[tuple[str, Any]]:
        return [
            ("Delivery", InvoiceDelivery.history.filter(invoice_id=obj.pk)),
            ("Dispute", Dispute.history.filter(invoice_id=obj.pk)),
        ]

    def timeline_sources(self, obj: Invoice) -> list[TimelineEntry]:
        return [
            TimelineEntry(
                at=row.recorded_at,
                kind="message",
                title=f"{row.get_kind_display()}: {fmt.plain_money(row.amount, obj.currency)} {obj.currency}",
                body=row.note,
                href=fmt.admin_url(row.receipt or row.credit_memo),
            )
            for row in obj.applications.select_related("receipt", "credit_memo")
        ]


@admin.register(InvoiceLine)
class InvoiceLineAdmin(RecordAdmin):
    area, icon, in_sidebar = "Billing", "format_list_numbered", False
    list_display = ["invoice", "position", "description", "service_from", "service_to", "quantity", "net"]
    list_select_related = ["invoice__customer", "order_line__order"]
    search_fields = ["description", "sku_code", "invoice__number"]
    exclude = ("proposal",)
    why_fields = {"net": "billing.admin.explain.line_net"}

    def facts(self, obj: InvoiceLine) -> list[Fact]:
        return [
            Fact("Document", obj.invoice),
            Fact("Net", fmt.money(obj.net, obj.invoice.currency, why=why_line(obj))),
            Fact("Service", f"{obj.service_from} to {obj.service_to}" if obj.service_from else None),
            Fact("Order", obj.order_line.order if obj.order_line else None),
        ]

    def panels(self, obj: InvoiceLine) -> list[Panel]:
        return [
            Panel(
                "Credited by",
                obj.credited_by.select_related("invoice"),
                [
                    Column("invoice", "Document"),
                    Column("net", money=obj.invoice.currency),
                    Column("tax", money=obj.invoice.currency),
                ],
                empty="Not credited.",
            )
        ]
