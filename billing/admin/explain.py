"""Why this number: from a total to its lines, from a line to its formula, price, days and metered hours."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.db.models.functions import TruncDate

from billing.domain.charges import expected
from billing.domain.invoice_totals import TaxKey, totals
from billing.models import Charge, Invoice, InvoiceLine, UsageHour
from billing.services import rating
from o2c.console import Column, Panel
from o2c.console import format as fmt
from o2c.console.registry import ExplainStep, Explanation
from o2c.errors import DomainError
from orders.models import Price

ONE_DAY = dt.timedelta(days=1)


def document_total(document: Invoice) -> Explanation:
    """Lines, tax per rate, total; recomputed from the nets of the lines."""
    lines = list(document.lines.order_by("position"))
    keys = [TaxKey(line.tax_name, line.tax_rate) for line in lines]
    summed = totals([(line.net, key) for line, key in zip(lines, keys, strict=True)], document.currency)
    steps = [
        ExplainStep(
            "Net",
            _money(document.net, document),
            f"{len(lines)} lines, each rounded once",
            children=[
                ExplainStep(line.description, _money(line.net, document), href=why_line(line))
                for line in lines
            ],
        ),
        ExplainStep(
            "Tax",
            _money(document.tax, document),
            "once for each rate, on the sum of its lines",
            document.tax_note,
            children=[
                ExplainStep(
                    key.name or document.get_tax_treatment_display(),
                    _money(taxed.tax, document),
                    f"{fmt.plain_money(taxed.net, document.currency)} at {fmt.percent(key.rate, digits=3)}",
                )
                for key, taxed in summed.by_rate
            ],
        ),
        ExplainStep("Total", _money(document.total, document), "net and tax"),
    ]
    return Explanation(
        f"{document.get_kind_display()} {document}",
        document.total,
        document.currency,
        steps,
        recomputed=summed.document.total if document.kind != Invoice.Kind.CREDIT_MEMO else None,
        as_of=document.issue_date,
    )


def why_line(line: InvoiceLine) -> str:
    """Address of the page behind a line's net."""
    from django.urls import reverse

    return reverse("admin:billing_invoiceline_why", args=(line.pk, "net"))


def line_net(line: InvoiceLine) -> Explanation:
    """The working of a line as it was billed, the same charge computed again now, and the usage behind it."""
    document = line.invoice
    trace: dict[str, Any] = line.trace
    steps = [_formula(line, document)]
    steps += [_piece(piece) for piece in trace.get("pieces", [])]
    if "proration" in trace:
        steps.append(ExplainStep("Part period", trace["proration"]["days"], trace["proration"]["convention"]))
    if "discount_percent" in trace:
        steps.append(ExplainStep("Discount", f"{trace['discount_percent']} %"))
    if "correction" in trace:
        correction = trace["correction"]
        steps.append(
            ExplainStep(
                "Correction",
                f"{correction['difference']} {document.currency}",
                f"{correction['expected']} expected - {correction['billed_before']} billed before",
            )
        )
    return Explanation(
        f"{document}, line {line.position}: {line.description}",
        line.net,
        document.currency,
        steps,
        recomputed=recomputed(line),
        tables=_usage(line),
        sources=_sources(line),
        as_of=document.issue_date,
    )


def _formula(line: InvoiceLine, document: Invoice) -> ExplainStep:
    period = f"{line.service_from} to {line.service_to}, exclusive" if line.service_from else ""
    return ExplainStep(
        line.description, _money(line.net, document), line.trace.get("formula", "no working"), period
    )


def _piece(piece: dict[str, Any]) -> ExplainStep:
    share = "" if piece["share"] == "1/1" else f", share {piece['share']} of the period"
    return ExplainStep(
        f"{piece['model']}, {piece['from']} to {piece['to']}",
        note=share.lstrip(", "),
        children=[
            ExplainStep(
                " ".join(part for part in (step["label"], *step.get("dimensions", {}).values()) if part),
                step["amount"],
                f"{step['units']} x {step['unit_amount']}"
                + (f" + {step['flat_amount']}" if "flat_amount" in step else ""),
            )
            for step in piece["steps"]
        ],
    )


def recomputed(line: InvoiceLine) -> Decimal | None:
    """The line's amount from the contract and the usage as they are now; None when nothing computes it."""
    if line.proposal is None or line.order_line is None or line.segment_id is None:
        return None
    order_id = line.order_line.order_id
    period_from = dt.date.fromisoformat(line.proposal["period_from"])
    through = dt.date.fromisoformat(line.proposal["due_on"]) + ONE_DAY
    try:
        timelines = rating.load_timelines([order_id], dt.date.max)
        charges = expected(
            timelines[order_id], rating.load_usage([order_id], dt.date.max, timelines), through
        )
    except DomainError:
        return None
    key = (line.order_line_id, line.segment_id, line.kind, period_from)
    now = sum((charge.amount for charge in charges if charge.key == key), Decimal(0))
    before = Charge.objects.filter(
        line_id=line.order_line_id,
        segment_id=line.segment_id,
        kind=line.kind,
        period_from=period_from,
        revision__lt=line.proposal["revision"],
    ).aggregate(sum=Sum("amount"))["sum"]
    return now - (before or Decimal(0))


def _usage(line: InvoiceLine) -> list[Panel]:
    """Metered quantity by day and dimensions over the service period, from the hourly totals."""
    start, end = line.service_from, line.service_to
    if line.kind != InvoiceLine.Kind.USAGE or line.order_line is None or start is None or end is None:
        return []
    zone = line.order_line.order.time_zone
    rows = (
        UsageHour.objects.filter(line_id=line.order_line_id)
        .annotate(day=TruncDate("hour", tzinfo=_zone(zone)))
        .filter(day__gte=start, day__lt=end)
        .values("day", "dimensions__values")
        .annotate(quantity=Sum("quantity"), events=Sum("event_count"))
        .order_by("day", "dimensions__values")
    )
    columns = [
        Column("day", "Day"),
        Column(lambda row: ", ".join(map(str, row["dimensions__values"].values())) or "-", "Dimensions"),
        Column("quantity", "Quantity", total=True),
        Column("events", "Events", total=True),
    ]
    note = f"Days of {zone}, from the hourly totals as they are now."
    return [Panel("Usage", list(rows), columns, limit=500, note=note, link_rows=False)]


def _zone(name: str) -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def _sources(line: InvoiceLine) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if line.order_line is not None:
        found.append((f"Order {line.order_line.order}", fmt.admin_url(line.order_line.order)))
    price_id = line.trace.get("price_id")
    if price_id:
        found.append((f"Price {line.trace.get('price', price_id)}", fmt.model_url(Price, price_id)))
    if line.credits is not None:
        found.append(
            (f"Credits line {line.credits.position} of {line.credits.invoice}", why_line(line.credits))
        )
    return found


def _money(amount: Decimal, document: Invoice) -> str:
    return f"{fmt.plain_money(amount, document.currency)} {document.currency}"
