"""Report pages: trial balance, waterfall, contract balances; each with its workbook."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import admin as django_admin
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from o2c import clock
from o2c.access.services import reads
from o2c.actor import acting
from o2c.console import charts
from o2c.console import format as fmt
from o2c.console.acts import request_id_of
from o2c.console.models import ExportEvent
from o2c.console.permissions import actor, holds, person
from o2c.console.registry import Chart, ChartData, Series
from o2c.ledger.models import AccountingPeriod, Journal, LegalEntity
from revenue.admin import workbooks
from revenue.models import RevenueContract
from revenue.selectors import reports
from revenue.selectors import trial_balance as books

READ = "revenue.read"
EXPORT = "console.list.export"
SHOWN_MONTHS = 18
ZERO = Decimal(0)


def _context(request: HttpRequest, title: str, **more: Any) -> dict[str, Any]:
    if not holds(request.user, READ):
        raise PermissionDenied(f"Seeing revenue reports needs the duty {READ}.")
    return {
        **django_admin.site.each_context(request),
        "title": title,
        "is_fullwidth": "1",
        "may_export": holds(request.user, EXPORT),
        **more,
    }


def _period(request: HttpRequest) -> AccountingPeriod | None:
    """The period asked for, else the latest one with journals."""
    periods = AccountingPeriod.objects.select_related("entity")
    wanted = request.GET.get("period", "")
    if wanted:
        found = periods.filter(pk=wanted).first() if wanted.isdigit() else None
        if found is None:
            raise Http404(f"There is no accounting period {wanted!r}.")
        return found
    return _with_journals().order_by("-starts_on", "entity").first()


def _with_journals() -> QuerySet[AccountingPeriod]:
    posted = Journal.objects.filter(period=OuterRef("pk"))
    return AccountingPeriod.objects.filter(Exists(posted)).select_related("entity")


def _entity(request: HttpRequest) -> LegalEntity | None:
    wanted = request.GET.get("entity", "")
    if not wanted:
        return None
    found = LegalEntity.objects.filter(code=wanted).first()
    if found is None:
        raise Http404(f"There is no legal entity {wanted!r}.")
    return found


def _download(request: HttpRequest, title: str, name: str, content: bytes, rows: int) -> HttpResponse:
    """The workbook, on record: who took it and the hash by which it can be recognised."""
    if not holds(request.user, EXPORT):
        raise PermissionDenied(f"Exporting needs the duty {EXPORT}.")
    with acting(actor(request), reason=f"export of {title}", request_id=request_id_of(request)):
        ExportEvent.objects.create(
            user=person(request),
            model="revenue.report",
            title=title,
            filters=request.GET.urlencode(),
            rows=rows,
            file_name=name,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        reads.record(reads.EXPORT, f"{title}: {name}", rows, actor=actor(request))
    response = HttpResponse(content, content_type=workbooks.MEDIA_TYPE)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _read_me(request: HttpRequest, title: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        ("Report", title),
        *more,
        ("Taken at (UTC)", f"{clock.now():%Y-%m-%d %H:%M:%S}"),
        ("Taken by", str(request.user)),
        ("Formulas", "Closing balances, totals and checks are live: they follow what you change."),
    ]


@require_GET
def trial_balance(request: HttpRequest) -> HttpResponse:
    """Accounts by currency at the end of a period, in both currencies."""
    period = _period(request)
    rows = books.trial_balance(period) if period else []
    context = _context(
        request,
        f"Trial balance {period}" if period else "Trial balance",
        period=period,
        periods=_with_journals().order_by("-starts_on", "entity"),
        rows=rows,
        debit=sum((row.functional_debit for row in rows), ZERO),
        credit=sum((row.functional_credit for row in rows), ZERO),
        closing=sum((row.functional_closing for row in rows), ZERO),
        hash=books.hashes(period.pk)["trial_balance"]["sha256"] if period else "",
    )
    return TemplateResponse(request, "revenue/trial_balance.html", context)


@require_GET
def trial_balance_xlsx(request: HttpRequest) -> HttpResponse:
    period = _period(request)
    if period is None:
        raise Http404("Nothing is posted yet.")
    _context(request, "")
    rows = books.trial_balance(period)
    title = f"Trial balance {period}"
    digest = books.hashes(period.pk)["trial_balance"]["sha256"]
    read_me = _read_me(
        request,
        title,
        ("Entity", f"{period.entity} ({period.entity.currency})"),
        ("Period", f"{period.name}, {period.get_state_display().lower()}"),
        ("sha256", f"{digest} (movements of the period by account)"),
    )
    content = workbooks.trial_balance(rows, read_me)
    name = f"trial-balance-{period.entity.code}-{period.name}.xlsx"
    return _download(request, title, name, content, len(rows))


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the waterfall as the page shows it."""

    label: str
    cells: list[Any]
    booked: Any
    recognised: Any
    remaining: Any


def _currencies() -> list[str]:
    found = RevenueContract.objects.order_by("currency").values_list("currency", flat=True).distinct()
    return list(found)


def _currency(request: HttpRequest) -> str:
    known = _currencies()
    wanted = request.GET.get("currency", "") or (known[0] if known else "USD")
    if known and wanted not in known:
        raise Http404(f"No contract is in {wanted!r}.")
    return wanted


def _months(report: reports.Waterfall) -> list[Any]:
    """The columns that a page can show: around the last month with revenue."""
    months = list(report.months)
    if len(months) <= SHOWN_MONTHS:
        return months
    at = months.index(report.through) if report.through in months else 0
    start = max(0, min(at - SHOWN_MONTHS // 3, len(months) - SHOWN_MONTHS))
    return months[start : start + SHOWN_MONTHS]


@require_GET
def waterfall(request: HttpRequest) -> HttpResponse:
    """Revenue of fixed prices by the month contracts began and the month it belongs to."""
    entity, currency = _entity(request), _currency(request)
    report = reports.waterfall(currency, entity_id=entity.pk if entity else None)
    months = _months(report)
    lines = [
        Line(
            f"{c.starts:%Y-%m}",
            [fmt.plain_money(c.months.get(m), currency) for m in months],
            *(fmt.plain_money(v, currency) for v in (c.booked, c.recognised, c.remaining)),
        )
        for c in report.cohorts
    ]
    total = Line(
        "Total",
        [fmt.plain_money(report.of_month(m), currency) for m in months],
        *(
            fmt.plain_money(sum((getattr(c, name) for c in report.cohorts), ZERO), currency)
            for name in ("booked", "recognised", "remaining")
        ),
    )
    data = _chart_data(report, months)
    chart = Chart("revenue.waterfall", "Revenue by month", lambda: data, kind="stacked", wide=True)
    context = _context(
        request,
        f"Revenue waterfall, {currency}",
        months=[(f"{m:%Y-%m}", report.through is not None and m <= report.through) for m in months],
        lines=lines,
        total=total,
        hidden=len(report.months) - len(months),
        currency=currency,
        currencies=_currencies(),
        entity=entity,
        entities=LegalEntity.objects.order_by("code"),
        svg=charts.svg(chart, data),
        legend=charts.legend(data),
        finding=data.finding,
    )
    return TemplateResponse(request, "revenue/waterfall.html", context)


def _chart_data(report: reports.Waterfall, months: list[Any]) -> ChartData:
    done = [m for m in months if report.through is not None and m <= report.through]
    return ChartData(
        labels=[f"{m:%Y-%m}" for m in months],
        series=[
            Series("Recognised", [report.of_month(m) if m in done else 0 for m in months]),
            Series("Planned", [0 if m in done else report.of_month(m) for m in months]),
        ],
        finding=f"Recognised through {report.through:%Y-%m}, planned after it"
        if report.through
        else "Nothing is recognised yet",
    )


@require_GET
def waterfall_xlsx(request: HttpRequest) -> HttpResponse:
    _context(request, "")
    entity, currency = _entity(request), _currency(request)
    report = reports.waterfall(currency, entity_id=entity.pk if entity else None)
    title = f"Revenue waterfall, {currency}"
    read_me = _read_me(
        request,
        title,
        ("Entity", str(entity) if entity else "all"),
        ("Rows", "the month in which contracts began"),
        ("Columns", "the month to which revenue belongs; usage has no plan and is not here"),
        ("Recognised through", f"{report.through:%Y-%m}" if report.through else "nothing yet"),
    )
    content = workbooks.waterfall(report, read_me)
    name = f"waterfall-{entity.code if entity else 'all'}-{currency}.xlsx"
    return _download(request, title, name, content, len(report.cohorts))


ROLLS = (
    ("2100", "Deferred revenue (contract liability)"),
    ("2110", "Prepaid commitments"),
    ("1110", "Unbilled receivable"),
    ("1120", "Contract asset"),
)


def _roll(period: AccountingPeriod, code: str) -> list[reports.Roll]:
    """The roll-forward as a person reads it: what we owe and what is owed to us, both positive."""
    rolls = reports.roll_forward(period, code)
    return [roll.as_asset() for roll in rolls] if code.startswith("1") else rolls


@require_GET
def balances(request: HttpRequest) -> HttpResponse:
    """Roll-forward of every contract balance over a period, and the remaining obligations after it."""
    period = _period(request)
    rolls, remaining = [], []
    if period is not None:
        rolls = [(title, code, _roll(period, code)) for code, title in ROLLS]
        found = reports.remaining_obligations(period.ends_on, entity_id=period.entity_id)
        remaining = [
            (currency, parts, sum(amount for _, amount in parts)) for currency, parts in found.items()
        ]
    context = _context(
        request,
        f"Contract balances {period}" if period else "Contract balances",
        period=period,
        periods=_with_journals().order_by("-starts_on", "entity"),
        rolls=rolls,
        remaining=remaining,
    )
    return TemplateResponse(request, "revenue/balances.html", context)
