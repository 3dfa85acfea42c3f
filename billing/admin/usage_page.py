"""The page 'Where usage went': received = billed + included + drawn down + waived + pending, per line."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from billing.admin.pages import page_context
from billing.domain.trace import plain
from billing.services import conservation
from billing.services.conservation import Balance
from o2c.console import Column, Panel
from orders.models import Order

SHOWN = 100


def _figure(name: str, title: str) -> Column:
    return Column(lambda row: _said(getattr(row, name)), title, numeric=True)


def _said(value: Fraction) -> str:
    """An exact quantity; of a share that no decimal says, nine places."""
    text = plain(value)
    return text if "/" not in text else f"{_cut(value)}…"


def _cut(value: Fraction) -> str:
    """`value` cut off after nine decimals."""
    sign, cut = ("-" if value < 0 else ""), abs(value.numerator) * 10**9 // value.denominator
    return f"{sign}{cut // 10**9}.{cut % 10**9:09d}"


COLUMNS = [
    Column(lambda row: row.line.order, "Order"),
    Column(lambda row: f"{row.line.position} {row.line.sku.code}", "Line"),
    Column(lambda row: row.line.sku.unit, "Unit"),
    _figure("received", "Received"),
    _figure("billed", "Billed"),
    _figure("included", "Included"),
    _figure("drawn", "Paid by credit"),
    _figure("waived", "Waived"),
    _figure("pending", "Not billed yet"),
    _figure("parked", "Parked"),
    _figure("outside", "Outside of segments"),
    _figure("filtered", "Not counted by the meter"),
    _figure("missing", "Missing"),
]


@require_GET
def where_usage_went(request: HttpRequest) -> HttpResponse:
    """Usage of the newest contracts (or of ?order=) up to today, and what became of it."""
    context = page_context(request, "Where usage went")
    orders = Order.objects.filter(activated_on__isnull=False, lines__sku__kind="usage").distinct()
    if context["entity"] is not None:
        orders = orders.filter(entity=context["entity"])
    if request.GET.get("order"):
        orders = orders.filter(number=request.GET["order"])
    ids = list(orders.order_by("-pk").values_list("pk", flat=True)[:SHOWN])
    rows = conservation.of_orders(ids, context["as_of"] + dt.timedelta(days=1))
    context["notice"] = _verdict(rows)
    context["panels"] = [
        Panel(
            "By order line",
            sorted(rows, key=lambda row: (not row.missing, row.line.order.number, row.line.position)),
            COLUMNS,
            link_rows=False,
            limit=SHOWN * 5,
            empty="No order with usage is active.",
            note=f"Of the {SHOWN} newest contracts. Meters that add up or count; quantities are exact.",
        )
    ]
    return TemplateResponse(request, "billing/report.html", context)


def _verdict(rows: list[Balance]) -> tuple[str, str]:
    bad: list[Any] = [row for row in rows if row.missing]
    if bad:
        return "o-bad", f"{len(bad)} of {len(rows)} lines miss usage that was received."
    return "o-good", f"Nothing is lost: {len(rows)} lines, all that was received is accounted for."
