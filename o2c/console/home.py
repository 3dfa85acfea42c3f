"""Home: what waits for the person who signed in, then the figures and charts of their role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from o2c import clock
from o2c.access.client import signed_in_request
from o2c.console import charts
from o2c.console.permissions import roles, sees
from o2c.console.queues import QueueSummary, summaries
from o2c.console.registry import Chart, ChartData, Kpi, KpiValue, QuickLink, registry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Card:
    kpi: Kpi
    value: KpiValue


@dataclass(frozen=True, slots=True)
class Picture:
    chart: Chart
    data: ChartData
    svg: SafeString
    legend: SafeString
    table: list[tuple[str, str, list[str]]]


def context_for(request: HttpRequest) -> dict[str, Any]:
    """What home shows at once: work, read fresh in one query, and those figures that are kept already.

    When a figure has to be computed, all come with a second request, so that work never waits for a chart.
    """
    user = request.user
    found = summaries(user)
    waiting = sorted((s for s in found if s.count), key=_urgency)
    context = {
        "title": "Home",
        "greeting": f"Good {_part_of_day()}, {str(user).split(' ')[0]}",
        "role_names": _role_names(user),
        "waiting": waiting,
        "idle": [s for s in found if not s.count],
        "waiting_rows": sum(s.count for s in waiting),
        "late_rows": sum(1 for s in waiting if s.late),
        "quick_links": [
            (link, address(link.url)) for link in registry.all(QuickLink) if sees(user, link.duty, link.roles)
        ],
        "is_fullwidth": "1",
    }
    wanted: list[Kpi | Chart] = [*_kpis(user), *_charts(user)]
    if set(cache.get_many([_key(entry) for entry in wanted])) == {_key(entry) for entry in wanted}:
        return context | figures_for(user)
    return context | {"figures_later": bool(wanted)}


def figures_for(user: Any) -> dict[str, Any]:
    """Cards and charts of the user's roles, computed where they aren't kept."""
    return {
        "cards": [Card(kpi, _kept(kpi, kpi.value)) for kpi in _kpis(user)],
        "pictures": [_picture(chart) for chart in _charts(user)],
    }


@require_GET
def figures(request: HttpRequest) -> HttpResponse:
    """The figures alone, for the page that asks for them after it has shown the work."""
    return TemplateResponse(request, "console/figures.html", figures_for(request.user))


def _kpis(user: Any) -> list[Kpi]:
    return [kpi for kpi in registry.all(Kpi) if sees(user, kpi.duty, kpi.roles)]


def _charts(user: Any) -> list[Chart]:
    return [chart for chart in registry.all(Chart) if sees(user, chart.duty, chart.roles)]


def _urgency(summary: QueueSummary) -> tuple[Any, ...]:
    """Late ones first, then by the app's priority, then by age."""
    return (not summary.late, summary.queue.priority, summary.oldest or clock.now())


def _part_of_day() -> str:
    hour = clock.now().hour
    return "morning" if 4 <= hour < 12 else "afternoon" if 12 <= hour < 18 else "evening"


def _role_names(user: Any) -> list[str]:
    from o2c.access.models import Role

    return list(Role.objects.filter(code__in=roles(user)).values_list("name", flat=True))


def _key(entry: Kpi | Chart) -> str:
    return f"console:{type(entry).__name__.lower()}:{entry.code}"


def _kept(entry: Kpi | Chart, compute: Callable[[], T]) -> T:
    """The figure, computed as for nobody: it is kept for everybody of the role."""
    looking = signed_in_request.set(None)
    try:
        return cache.get_or_set(_key(entry), compute, entry.seconds)  # type: ignore[return-value]
    finally:
        signed_in_request.reset(looking)


def _picture(chart: Chart) -> Picture:
    data = _kept(chart, chart.data)
    return Picture(chart, data, charts.svg(chart, data), charts.legend(data), charts.table(data))


def address(url: str) -> str:
    """A path that begins with /, or the name of a view."""
    return url if url.startswith("/") else reverse(url)
