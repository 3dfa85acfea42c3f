"""The console's page of scenarios: a deal, or two side by side, month by month; and an order as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import admin as django_admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_http_methods

from o2c.console import charts
from o2c.console import format as fmt
from o2c.console.permissions import holds
from o2c.console.registry import Chart, ChartData, Series
from o2c.errors import DomainError
from o2c.scenarios import export, language, preview, runner
from o2c.scenarios.cast import Cast
from o2c.scenarios.duties import PREVIEW
from o2c.scenarios.preview import Month, Preview
from o2c.scenarios.reading import MOST_BYTES, Unreadable
from orders.models import Order

EXAMPLE = """\
scenario: A year of platform and seats
catalogue:
  - {sku: PLATFORM, price: {model: flat, amount: 12000}, per: year}
  - {sku: SEATS, price: 40, unit: seat}
  - {sku: TOKENS, kind: usage, price: 0.0000025, unit: token}
deal:
  from: 2027-01-01
  months: 12
  lines:
    - {sku: PLATFORM, frequency: year}
    - {sku: SEATS, quantity: 50}
    - {sku: TOKENS, usage_per_month: 400000000}
happenings:
  - on: 2027-07-01
    change_quantity: {line: SEATS, by: 25}
"""
ZERO = Decimal(0)


@dataclass(slots=True)
class Side:
    """One of the two scenarios on the page: its text, and what became of it."""

    key: str
    text: str = ""
    problems: Sequence[str] = ()
    shown: Preview | None = None
    checked: bool = False

    @property
    def name(self) -> str:
        return "first" if self.key == "a" else "second"


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """GET shows the form, with an order's file when one is named; POST lives what is sent, and undoes it."""
    if not holds(request.user, PREVIEW):
        raise PermissionDenied(f"Previewing deals needs the duty {PREVIEW}.")
    sides, order = [Side("a"), Side("b")], None
    if request.method == "POST":
        for side in sides:
            _receive(request, side)
            if side.text.strip():
                _live(side, check=request.POST.get("act") == "check")
    else:
        order = _order(request.GET.get("order", ""))
        sides[0].text = _text_of(order) if order else EXAMPLE
    previews = _previews(sides)
    months = _table(previews)
    context = {
        **django_admin.site.each_context(request),
        "title": "Deal preview",
        "is_fullwidth": "1",
        "sides": sides,
        "order": order,
        "two": bool(sides[1].text.strip()),
        "previews": previews,
        "difference": len({one.currency for one in previews}) < len(previews),
        "months": months[:-1],
        "total": months[-1] if months else None,
        "lines": _lines(previews),
        **_pictures(previews),
    }
    return TemplateResponse(request, "scenarios/page.html", context)


def _receive(request: HttpRequest, side: Side) -> None:
    """The text of a side: the file that was chosen, else what stands in the field."""
    side.text = request.POST.get(side.key, "")
    upload = request.FILES.get(f"{side.key}_file")
    if upload is None:
        return
    if (upload.size or 0) > MOST_BYTES:
        side.problems = [f"{upload.name} is larger than {MOST_BYTES:,} bytes"]
        side.text = ""
        return
    try:
        side.text = upload.read().decode()
    except UnicodeDecodeError:
        side.problems = [f"{upload.name} is not a text in UTF-8"]
        side.text = ""


def _live(side: Side, *, check: bool) -> None:
    try:
        scenario = language.parse(side.text, "line")
        if check:
            with runner.rolled_back():
                side.problems = runner.run(scenario, Cast.hire(), "line")
            side.checked = True
        else:
            side.shown = preview.preview(scenario)
    except Unreadable as error:
        side.problems = error.lines
    except DomainError as error:
        side.problems = [str(error)]


def _order(number: str) -> Order | None:
    """The order of that number, when one is named."""
    if not number:
        return None
    order = Order.objects.filter(number=number).first()
    if order is None:
        raise Http404(f"There is no order {number}.")
    return order


def _text_of(order: Order) -> str:
    try:
        return export.text_of(order)
    except DomainError as error:
        return f"# {error}\n"


@require_GET
def order_file(request: HttpRequest, pk: int) -> HttpResponse:
    """A real contract as a scenario file, to change and to keep."""
    if not holds(request.user, PREVIEW):
        raise PermissionDenied(f"Previewing deals needs the duty {PREVIEW}.")
    order = Order.objects.filter(pk=pk).first()
    if order is None:
        raise Http404(f"There is no order {pk}.")
    response = HttpResponse(export.text_of(order), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{order.number}.yaml"'
    response["Cache-Control"] = "no-store"
    return response


@dataclass(frozen=True, slots=True)
class Row:
    """A month, or a SKU, with its amounts as texts."""

    label: str
    figures: Sequence[str]


def _previews(sides: Sequence[Side]) -> list[Preview]:
    return [side.shown for side in sides if side.shown is not None]


def _table(previews: Sequence[Preview]) -> list[Row]:
    """Months below one another, each side's figures beside the other's and the difference; the sum last."""
    by_month = [{month.month: month for month in one.months} for one in previews]
    rows = []
    for name in sorted({name for months in by_month for name in months}):
        figures: list[str] = []
        pairs: list[tuple[Decimal, Decimal]] = []
        for one, months in zip(previews, by_month, strict=True):
            month = months.get(name) or Month(name, ZERO, ZERO, ZERO)
            pairs.append((month.billed, month.recognised))
            figures += [_figure(value, one) for value in (*pairs[-1], month.deferred)]
        rows.append(Row(name, figures + _difference(pairs, previews)))
    if previews:
        sums = [(one.billed, one.recognised) for one in previews]
        total = [
            text
            for pair, one in zip(sums, previews, strict=True)
            for text in (*(_figure(value, one) for value in pair), "")
        ]
        rows.append(Row("Sum", total + _difference(sums, previews)))
    return rows


def _lines(previews: Sequence[Preview]) -> list[Row]:
    """By SKU: what each side bills and recognises in all."""
    by_sku = [{line.sku: (line.billed, line.recognised) for line in one.lines} for one in previews]
    rows = []
    for sku in sorted({sku for found in by_sku for sku in found}):
        pairs = [found.get(sku, (ZERO, ZERO)) for found in by_sku]
        figures = [_figure(v, one) for pair, one in zip(pairs, previews, strict=True) for v in pair]
        rows.append(Row(sku, figures + _difference(pairs, previews)))
    return rows


def _figure(value: Decimal, one: Preview) -> str:
    return str(fmt.plain_money(value, one.currency))


def _difference(pairs: Sequence[tuple[Decimal, Decimal]], previews: Sequence[Preview]) -> list[str]:
    """What the second has more than the first, when both are in one currency."""
    if len(pairs) < 2 or previews[0].currency != previews[1].currency:
        return []
    return [_figure(pairs[1][n] - pairs[0][n], previews[0]) for n in (0, 1)]


def _pictures(previews: Sequence[Preview]) -> dict[str, Any]:
    if not previews:
        return {}
    labels = sorted({month.month for one in previews for month in one.months})

    def series(label: str, one: Preview, name: str) -> Series:
        values = {month.month: getattr(month, name) for month in one.months}
        return Series(label, [values.get(month, ZERO) for month in labels])

    if len(previews) == 1:
        one = previews[0]
        bars = [series("Billed", one, "billed"), series("Recognised", one, "recognised")]
        finding = f"{one.title}: billed and recognised by month, {one.currency}"
    else:
        bars = [
            series("Billed, first", previews[0], "billed"),
            series("Billed, second", previews[1], "billed"),
        ]
        finding = f"Billed by month: {previews[0].title} and {previews[1].title}"
    data = ChartData(labels=labels, series=bars, unit=previews[0].currency, finding=finding)
    chart = Chart("scenarios.months", "By month", lambda: data, kind="bar", wide=True)
    return {"svg": charts.svg(chart, data), "legend": charts.legend(data), "finding": finding}
