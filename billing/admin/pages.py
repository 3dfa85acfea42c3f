"""Report pages of cash: ageing by customer, the collectors' work list, statements of account."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django.contrib import admin as django_admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from billing.domain.ageing import NAMES, Ageing
from billing.models import DunningLevel, Invoice
from billing.selectors import ageing, collections, document_data
from o2c import clock
from o2c.console import Column, Panel
from o2c.console import format as fmt
from o2c.console.permissions import holds
from o2c.documents import typeset
from o2c.ledger.models import JournalLine, LegalEntity
from o2c.periods import add_months
from orders.models import Customer

READ = "billing.read"
SHOWN = 500


def page_context(request: HttpRequest, title: str) -> dict[str, Any]:
    """What every report page shows: who may see it, as of when, of which entity."""
    if not holds(request.user, READ):
        raise PermissionDenied(f"Seeing reports of billing needs the duty {READ}.")
    entity = None
    if request.GET.get("entity"):
        entity = LegalEntity.objects.filter(code=request.GET["entity"]).first()
        if entity is None:
            raise Http404(f"There is no legal entity {request.GET['entity']!r}.")
    return {
        **django_admin.site.each_context(request),
        "title": title,
        "is_fullwidth": "1",
        "as_of": _day(request, "as_of", clock.today()),
        "entity": entity,
        "entities": LegalEntity.objects.order_by("code"),
    }


def _day(request: HttpRequest, name: str, default: dt.date) -> dt.date:
    try:
        return dt.date.fromisoformat(request.GET.get(name) or default.isoformat())
    except ValueError as error:
        raise Http404(f"{request.GET[name]!r} is not a date.") from error


def _bucket(name: str) -> Column:
    return Column(lambda row: row["aged"].buckets[name], name.capitalize(), money="currency", bare=True)


def _figure(name: str, title: str) -> Column:
    return Column(lambda row: getattr(row["aged"], name), title, money="currency", bare=True)


COLUMNS = [
    *(_bucket(name) for name in NAMES),
    _figure("total", "Open"),
    _figure("disputed", "Disputed"),
    _figure("unapplied", "On account"),
    _figure("balance", "Balance"),
]


@require_GET
def aged(request: HttpRequest) -> HttpResponse:
    """Open receivables by customer and age as of a day, beside the account that they must equal."""
    context = page_context(request, "Ageing")
    as_of, entity = context["as_of"], context["entity"]
    rows = ageing.by_customer(as_of, entity_id=entity.pk if entity else None)
    totals = ageing.summed((key[2], one) for key, one in rows.items())
    context["notice"] = _tie(totals, _ledger(as_of, entity))
    customers = Customer.objects.in_bulk({key[1] for key in rows if key[1] is not None})
    listed = [
        {"customer": customers.get(key[1] or 0), "key": key, "currency": key[2], "aged": one}
        for key, one in sorted(rows.items(), key=lambda item: (item[0][2], -item[1].total))
    ]
    context["panels"] = [
        Panel(
            "By currency",
            [{"currency": currency, "aged": one} for currency, one in sorted(totals.items())],
            [Column("currency", "Currency"), *COLUMNS],
            link_rows=False,
            empty="Nothing is open.",
            note="Days past due. Unused credit memos are never past due; cash on account stands apart.",
        ),
        Panel(
            "By customer",
            listed,
            [
                Column(lambda row: row["customer"] or "Payer not identified", "Customer"),
                Column("currency", "Currency"),
                *COLUMNS,
                Column(lambda row: _statement_link(row["key"], as_of), "Statement"),
            ],
            link_rows=False,
            limit=SHOWN,
            empty="Nothing is open.",
        ),
    ]
    return TemplateResponse(request, "billing/report.html", context)


def _ledger(as_of: dt.date, entity: LegalEntity | None) -> dict[str, Decimal]:
    """Account 1100 per currency at the end of the day."""
    lines = JournalLine.objects.filter(account__code="1100", journal__posting_date__lte=as_of)
    if entity is not None:
        lines = lines.filter(journal__entity=entity)
    found: dict[str, Decimal] = {}
    for currency, debit, credit in lines.values_list("journal__currency", "debit", "credit").iterator():
        found[currency] = found.get(currency, Decimal(0)) + debit - credit
    return found


def _tie(totals: dict[str, Ageing], books: dict[str, Decimal]) -> tuple[str, str]:
    nothing = Decimal(0)
    apart = []
    for currency in sorted({*totals, *books}):
        aged_total = totals[currency].total if currency in totals else nothing
        booked = books.get(currency, nothing)
        if aged_total != booked:
            figures = (fmt.plain_money(amount, currency) for amount in (aged_total, booked))
            apart.append(f"{currency} {' against '.join(figures)}")
    if apart:
        return "o-bad", f"Ageing differs from account 1100: {'; '.join(apart)}."
    return "o-good", "Ageing equals account 1100 in every currency."


def _statement_link(key: tuple[int, int | None, str], as_of: dt.date) -> SafeString | None:
    entity, customer, currency = key
    if customer is None:
        return None
    address = reverse("admin:billing_statement", args=(customer, entity, currency))
    return format_html('<a href="{}?as_of={}">PDF</a>', address, as_of)


@require_GET
def work_list(request: HttpRequest) -> HttpResponse:
    """Overdue debts by customer, the largest and oldest first, with what was done and what comes next."""
    context = page_context(request, "Overdue accounts")
    as_of, entity = context["as_of"], context["entity"]
    debts = collections.overdue(as_of, entity_id=entity.pk if entity else None)
    customers = Customer.objects.in_bulk({debt.customer_id for debt in debts})
    levels = {level.level: level for level in DunningLevel.objects.all()}

    def done(debt: Any) -> str:
        return levels[debt.level].name if debt.level in levels else "not reminded"

    def coming(debt: Any) -> str:
        if not levels:
            return "no dunning plan"
        later = [level for number, level in sorted(levels.items()) if number > debt.level]
        if not later:
            return "every level was given"
        days = later[0].days_overdue - debt.days
        return f"{later[0].name}, {'now' if days <= 0 else f'in {days} days'}"

    context["panels"] = [
        Panel(
            "Who owes what",
            debts,
            [
                Column(lambda debt: customers[debt.customer_id], "Customer"),
                Column("amount", "Overdue", money="currency"),
                Column("disputed", "In dispute", money="currency"),
                Column("oldest_due", "Oldest due"),
                Column("days", "Days"),
                Column(_invoices, "Invoices"),
                Column(done, "Reminded"),
                Column(coming, "Next"),
                Column(
                    lambda debt: _statement_link((debt.entity_id, debt.customer_id, debt.currency), as_of),
                    "Statement",
                ),
            ],
            link_rows=False,
            limit=SHOWN,
            empty="Nobody owes anything that is past due.",
            note="After cash on account and unused credit; what is contested or a marketplace's is left out.",
        )
    ]
    return TemplateResponse(request, "billing/report.html", context)


def _invoices(debt: collections.Overdue) -> SafeString:
    found = fmt.list_url(Invoice, id__in=",".join(str(item.id) for item in debt.items))
    text = debt.items[0].number if len(debt.items) == 1 else f"{len(debt.items)} invoices"
    return format_html('<a href="{}">{}</a>', found, text)


@require_GET
def statement(request: HttpRequest, customer_id: int, entity_id: int, currency: str) -> HttpResponse:
    """The statement of the last twelve months up to `as_of`, as PDF, made on the spot and not stored."""
    if not holds(request.user, READ):
        raise PermissionDenied(f"Seeing statements needs the duty {READ}.")
    as_of = _day(request, "as_of", clock.today())
    since = _day(request, "since", add_months(as_of, -12))
    data = document_data.statement(customer_id, entity_id, currency, since=since, as_of=as_of)
    response = HttpResponse(typeset.render("statement", data, dated=as_of)[0], content_type="application/pdf")
    name = f"statement-{data['buyer']['number']}-{as_of}.pdf"
    response["Content-Disposition"] = content_disposition_header(False, name) or "inline"
    return response
