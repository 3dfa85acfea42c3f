"""Quotes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from o2c.console import Act, Column, Fact, ListAct, Panel, RecordAdmin
from o2c.console import format as fmt
from o2c.console.registry import Anchor
from o2c.controls.approvals.admin.asking import ask_act, needs
from orders.admin.forms import (
    AcceptForm,
    NewQuoteForm,
    QuoteLineForm,
    ReviseForm,
    remove_line_form,
    terms_form,
)
from orders.admin.shown import price_text
from orders.models import Order, Quote, QuoteLine
from orders.selectors.work import QuotesWithValue


def _draft_only(quote: Quote, user: Any) -> list[str]:
    return [] if quote.state == Quote.State.DRAFT else ["Only a draft is changed: recall it, or revise it."]


def _over(quote: Quote, user: Any) -> list[str]:
    over = (Quote.State.REJECTED, Quote.State.EXPIRED)
    return [] if quote.state in over else ["Only a rejected or expired quote is revised."]


def _not_own(quote: Quote, user: Any) -> list[str]:
    if user.pk in (quote.submitted_by_id, quote.last_edited_by_id):
        return ["You submitted or last edited it: somebody else decides."]
    return []


def _not_submitted(quote: Quote, user: Any) -> list[str]:
    return [] if quote.state == Quote.State.SUBMITTED else ["Submit it first."]


_terms_need = needs("orders.quote.approve", _not_submitted)


def _approvable(quote: Quote, user: Any) -> list[str]:
    return _not_own(quote, user) + _terms_need(quote, user)


@admin.register(Quote)
class QuoteAdmin(RecordAdmin):
    area, icon, nav_position, wide = "Orders", "request_quote", 20, True
    list_display = ["number", "version", "customer", "title", "worth", "valid_until", "state"]
    list_select_related = ["customer"]
    list_filter = ["state", "currency"]
    search_fields = ["number", "title", "customer__name", "customer__number"]
    find_fields = ["number", "*title"]
    transition_options = {
        "approve": {"unavailable": _approvable},
        "reject": {"unavailable": _not_own, "reason": "required", "danger": True},
        "accept": {"form": AcceptForm, "description": "Makes the draft order from it."},
        "expire": {"reason": "optional", "primary": False, "danger": True},
    }
    acts = [
        ask_act("orders.quote.approve", "orders.services.quotes.ask", _not_submitted),
        Act(
            "add_line",
            "Add line…",
            "orders.services.draft_lines.add_quote_line",
            duty="orders.quote.draft",
            form=QuoteLineForm,
            unavailable=_draft_only,
        ),
        Act(
            "remove_line",
            "Remove line…",
            "orders.services.draft_lines.remove_quote_line",
            duty="orders.quote.draft",
            form=remove_line_form,
            unavailable=_draft_only,
        ),
        Act(
            "set_quote_terms",
            "Billing clauses…",
            "orders.services.draft_lines.set_quote_terms",
            duty="orders.quote.draft",
            form=terms_form,
            unavailable=_draft_only,
        ),
        Act(
            "revise",
            "Revise…",
            "orders.services.quotes.revise",
            duty="orders.quote.draft",
            form=ReviseForm,
            unavailable=_over,
        ),
    ]
    list_acts = [
        ListAct(
            "new",
            "New quote",
            "orders.services.draft_lines.new_quote",
            duty="orders.quote.draft",
            form=NewQuoteForm,
        )
    ]
    empty_text = "No quote yet: use 'New quote'."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return QuotesWithValue(Quote)

    def worth(self, obj: Any) -> SafeString:
        return fmt.money(obj.value, obj.currency)

    worth.short_description = "Value over the term"  # type: ignore[attr-defined]

    def facts(self, obj: Any) -> list[Fact]:
        order = Order.objects.filter(quote=obj).first()
        return [
            Fact("Customer", obj.customer),
            Fact("Value over the term", fmt.money(obj.value, obj.currency)),
            Fact("Term", f"{obj.starts_on} to {obj.ends_on or 'open'}"),
            Fact("Valid until", obj.valid_until),
            Fact("Order", order),
        ]

    def panels(self, obj: Quote) -> list[Panel]:
        rows = obj.lines.select_related("sku", "price")
        return [
            Panel(
                "Lines",
                rows,
                [
                    "position",
                    "sku",
                    "description",
                    "quantity",
                    Column(lambda r: price_text(r.override_spec or r.price.spec, obj.currency), "Price"),
                    Column(lambda r: price_text(r.price.spec, obj.currency), "List price"),
                    "discount_percent",
                    "override_reason",
                ],
                link_rows=False,
                empty="Nothing is offered yet: use 'Add line…'.",
            ),
            Panel(
                "Versions",
                Quote.objects.filter(number=obj.number),
                ["version", "state", "submitted_by", "approved_by", "decision_note"],
            ),
        ]

    def strip_anchor(self, obj: Quote) -> Anchor | None:
        order = Order.objects.filter(quote=obj).values_list("pk", flat=True).first()
        return Anchor("order", (order,)) if order else None

    def timeline_related(self, obj: Quote) -> list[tuple[str, Any]]:
        return [("Line", QuoteLine.history.filter(quote_id=obj.pk))]
