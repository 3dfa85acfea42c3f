"""How prices, values and timelines look on the pages of orders."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from o2c.console import format as fmt
from orders.models import Segment

BAR = (
    '<span title="{}" style="display:inline-block;height:.75em;margin-left:{}%;width:{}%;'
    'background:currentColor;opacity:{};border-radius:2px"></span>'
)


def price_text(spec: Mapping[str, Any] | None, currency: str = "") -> str:
    """A price in a few words: '40.00 per unit', '3 tiers, graduated from 0.10'."""
    if not spec:
        return ""
    model = spec.get("model")
    if model in ("flat", "one_time"):
        return f"{spec['amount']} {currency} flat".replace("  ", " ")
    if model == "per_unit":
        return f"{spec['unit_amount']} {currency} per unit".replace("  ", " ")
    if model in ("graduated", "volume"):
        return (
            f"{len(spec['tiers'])} tiers, {model}, from {spec['tiers'][0]['unit_amount']} {currency}".strip()
        )
    if model == "package":
        return f"{spec['amount']} {currency} per {spec['size']}".replace("  ", " ")
    if model == "matrix":
        return f"{len(spec['cells'])} cells by {', '.join(spec['dimensions'])}"
    if model == "prepaid":
        return f"{spec['amount']} {currency} for {spec['credit']} of credit".replace("  ", " ")
    if model == "of":
        return f"{spec.get('factor', '1')} times the price of {spec['sku']}"
    if isinstance(spec.get("price"), Mapping):
        bound = spec.get("amount") or spec.get("included") or spec.get("factor") or ""
        return f"{model} {bound}: {price_text(spec['price'], currency)}"
    return str(model)


def segment_price(segment: Segment) -> str:
    """The price in force on a segment, with what was negotiated."""
    text = price_text(segment.price_override or segment.price.spec, segment.price.currency)
    per = f" a {segment.price.get_period_display().lower()}" if segment.line.sku.kind == "recurring" else ""
    negotiated = ", negotiated" if segment.price_override else ""
    discount = f", less {fmt.plain_number(segment.discount_percent)} %" if segment.discount_percent else ""
    return f"{text}{per}{negotiated}{discount}"


def timeline(segments: Sequence[Segment], starts_on: dt.date, ends_on: dt.date | None) -> SafeString:
    """The segments as bars to scale between the two dates; each tells its dates and quantity."""
    last = ends_on or max((s.ends_on for s in segments if s.ends_on), default=None)
    until = last or starts_on + dt.timedelta(days=365)
    whole = max((until - starts_on).days, 1)
    at, rows = 0, []
    for number, segment in enumerate(segments):
        first, end = (
            (segment.starts_on - starts_on).days,
            (min(segment.ends_on or until, until) - starts_on).days,
        )
        gap, width = 100 * (first - at) // whole, max(100 * (end - first) // whole, 1)
        opacity = ".85" if number % 2 == 0 else ".45"
        rows.append((str(segment), gap, width, opacity))
        at = end
    bars = format_html_join("", BAR, rows)
    text = "; ".join(str(segment) for segment in segments)
    return format_html(
        '<span style="display:block;min-width:14em;white-space:nowrap" role="img" aria-label="{}">{}</span>',
        text,
        bars,
    )


def span_rows(description: Mapping[str, Any], side: str) -> list[dict[str, Any]]:
    """The segments of one side ("before" or "after") of a described effect, for a table."""
    return [
        {
            "line": f"{line['position']}: {line['sku']}",
            "from": span["starts_on"],
            "until": span["ends_on"] or "…",
            "quantity": Decimal(span["quantity"]),
            "price": price_text(span["price_override"]) or "list price",
            "discount": f"{span['discount_percent']} %" if span["discount_percent"] != "0" else "",
        }
        for line in description.get("lines", [])
        for span in line[side]
    ]


def value_rows(description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Value per line and in all, before and after, of a described effect."""
    rows = [
        {"what": f"line {line['position']} ({line['sku']})", **_amounts(line["value"])}
        for line in description.get("lines", [])
    ]
    if "value" in description:
        rows.append({"what": "The order", **_amounts(description["value"])})
    currency = description.get("currency", "")
    return [{**row, "currency": currency} for row in rows]


def _amounts(value: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(value[name]) for name in ("before", "after", "delta")}
