"""Charts as SVG from the server: no script, themed by CSS, with a table view for those who would rather read.

Bars begin at zero; one axis; no pies, no gauges. Figures here are positions on a screen, so floats are right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from o2c.console import format as fmt
from o2c.console.registry import Chart, ChartData

HALF, FULL, HEIGHT = 640, 1300, 220  # a chart takes half of home, or all of it
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 10, 26
TICKS = 4
LETTER = 6.4  # width of a letter on the axis


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values and positions to the picture; `low` is 0 or below."""

    low: float
    high: float
    width: int
    points: int

    @property
    def slot(self) -> float:
        """The room of one label."""
        return (self.width - LEFT - RIGHT) / max(self.points, 1)

    def middle(self, position: int) -> float:
        return LEFT + (position + 0.5) * self.slot

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)


def svg(chart: Chart, data: ChartData) -> SafeString:
    """The picture, '' when there is nothing to draw."""
    if not data.labels or not any(v is not None for s in data.series for v in s.values):
        return SafeString("")
    scale = _scale(chart, data)
    marks = {"line": _lines, "stacked": _stacked}.get(chart.kind, _bars)(data, scale)
    return format_html(
        '<svg class="o-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>',
        scale.width,
        HEIGHT,
        f"{chart.title}. {data.finding}".strip(),
        _grid(scale),
        marks,
        _labels(data.labels, scale),
    )


def legend(data: ChartData) -> SafeString:
    if len(data.series) < 2:
        return SafeString("")
    items = format_html_join(
        "", '<li><i class="o-s{}"></i>{}</li>', ((i, s.label) for i, s in enumerate(data.series))
    )
    return format_html('<ul class="o-legend">{}</ul>', items)


def table(data: ChartData) -> list[tuple[str, str, list[str]]]:
    """(label, href, one text per series) per row, for the table view."""
    rows = []
    for i, label in enumerate(data.labels):
        href = data.hrefs[i] if i < len(data.hrefs) else ""
        rows.append((label, href, [_text(s.values[i]) for s in data.series]))
    return rows


def _text(value: float | Decimal | int | None) -> str:
    if value is None:
        return fmt.NONE
    return (
        fmt.plain_number(value, digits=2)
        if isinstance(value, Decimal)
        else fmt.plain_number(Decimal(str(value)))
    )


def compact(value: float) -> str:
    """1,234,000 -> '1.2M'. For axes only."""
    for limit, suffix in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{suffix}".replace("-", fmt.MINUS)
    return f"{value:.3g}".replace("-", fmt.MINUS)


def _scale(chart: Chart, data: ChartData) -> Scale:
    points = len(data.labels)
    if chart.kind == "stacked":
        columns = [[_float(series.values[i]) for series in data.series] for i in range(points)]
        highs = [sum(v for v in column if v > 0) for column in columns]
        lows = [sum(v for v in column if v < 0) for column in columns]
    else:
        highs = lows = [_float(v) for series in data.series for v in series.values if v is not None]
    high, low = max([0.0, *highs]), min([0.0, *lows])
    step = _step((high - low) or 1.0)
    top = max(math.ceil(high / step) * step, 0.0 if low < 0 else step)
    return Scale(math.floor(low / step) * step, top, FULL if chart.wide else HALF, points)


def _step(span: float) -> float:
    """A round distance between grid lines: 1, 2, 2.5 or 5 times a power of ten."""
    raw = span / TICKS
    power = 10 ** math.floor(math.log10(raw))
    return float(next((m * power for m in (1, 2, 2.5, 5) if m * power >= raw), 10 * power))


def _float(value: Any) -> float:
    return 0.0 if value is None else float(value)


def _grid(scale: Scale) -> SafeString:
    step = _step(scale.high - scale.low)
    count = round((scale.high - scale.low) / step)
    values = [scale.low + i * step for i in range(count + 1)]
    return format_html_join(
        "",
        '<line class="o-grid{}" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<text class="o-tick" x="{}" y="{}" text-anchor="end">{}</text>',
        (
            (
                " o-zero" if abs(v) < step / 2 else "",
                LEFT,
                scale.width - RIGHT,
                scale.y(v),
                scale.y(v),
                LEFT - 6,
                scale.y(v) + 4,
                compact(v),
            )
            for v in values
        ),
    )


def _labels(labels: Sequence[str], scale: Scale) -> SafeString:
    """As many labels as fit beside each other, always with the same distance between them."""
    widest = max((len(label) for label in labels), default=0) * LETTER + LETTER
    every = max(math.ceil(widest / scale.slot), 1)
    return format_html_join(
        "",
        '<text class="o-tick" x="{}" y="{}" text-anchor="middle">{}</text>',
        ((round(scale.middle(i), 1), HEIGHT - 8, label) for i, label in enumerate(labels) if i % every == 0),
    )


def _rect(series: int, x: float, width: float, y_from: float, y_to: float, title: str) -> SafeString:
    top, height = min(y_from, y_to), abs(y_from - y_to)
    return format_html(
        '<rect class="o-s{}" x="{}" y="{}" width="{}" height="{}" rx="2"><title>{}</title></rect>',
        series,
        round(x, 1),
        round(top, 1),
        round(width, 1),
        round(height, 1),
        title,
    )


def _bars(data: ChartData, scale: Scale) -> SafeString:
    width = min(scale.slot * 0.7 / len(data.series), 44)
    found = []
    for s, series in enumerate(data.series):
        for i, value in enumerate(series.values):
            x = scale.middle(i) + (s - len(data.series) / 2) * width
            title = f"{data.labels[i]} {series.label}: {_text(value)} {data.unit}".strip()
            found.append(_rect(s, x, width - 1, scale.y(0), scale.y(_float(value)), title))
    return SafeString("".join(found))


def _stacked(data: ChartData, scale: Scale) -> SafeString:
    width = min(scale.slot * 0.7, 56)
    found = []
    for i, label in enumerate(data.labels):
        up, down = 0.0, 0.0
        for s, series in enumerate(data.series):
            value = _float(series.values[i])
            start = up if value >= 0 else down
            title = f"{label} {series.label}: {_text(series.values[i])} {data.unit}".strip()
            found.append(
                _rect(
                    s,
                    scale.middle(i) - width / 2,
                    width,
                    scale.y(start),
                    scale.y(start + value),
                    title,
                )
            )
            up, down = (up + value, down) if value >= 0 else (up, down + value)
    return SafeString("".join(found))


def _lines(data: ChartData, scale: Scale) -> SafeString:
    found = []
    for s, series in enumerate(data.series):
        points = [
            (round(scale.middle(i), 1), scale.y(_float(v)), i, v)
            for i, v in enumerate(series.values)
            if v is not None
        ]
        path = " ".join(f"{x},{y}" for x, y, _, _ in points)
        dots = format_html_join(
            "",
            '<circle cx="{}" cy="{}" r="3"><title>{}</title></circle>',
            (
                (x, y, f"{data.labels[i]} {series.label}: {_text(v)} {data.unit}".strip())
                for x, y, i, v in points
            ),
        )
        found.append(format_html('<g class="o-s{}"><polyline points="{}"/>{}</g>', s, path, dots))
    return SafeString("".join(found))
