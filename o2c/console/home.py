"""Home: what waits for the person who signed in, then the figures and charts of their role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from o2c import clock
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
    """Everything that home shows. Queues are read fresh, in one query;
    figures may be as old as they declare.
    """
    user = request.user
    found = summaries(user)
    waiting = sorted((s for s in found if s.count), key=_urgency)
    return {
        "title": "Home",
        "greeting": f"Good {_part_of_day()}, {str(user).split(' ')[0]}",
        "role_names": _role_names(user),
        "waiting": waiting,
        "idle": [s for s in found if not s.count],
        "waiting_rows": sum(s.count for s in waiting),
        "late_rows": sum(1 for s in waiting if s.late),
        "cards": [
            Card(k, _kept(f"kpi:{k.code}", k.seconds, k.value))
            for k in registry.all(Kpi)
            if sees(user, k.duty, k.roles)
        ],
        "pictures": [_picture(c) for c in registry.all(Chart) if sees(user, c.duty, c.roles)],
        "quick_links": [
            (link, address(link.url)) for link in registry.all(QuickLink) if sees(user, link.duty, link.roles)
        ],
        "is_fullwidth": "1",
    }


def _urgency(summary: QueueSummary) -> tuple[Any, ...]:
    """Late ones first, then by the app's priority, then by age."""
    return (not summary.late, summary.queue.priority, summary.oldest or clock.now())


def _part_of_day() -> str:
    hour = clock.now().hour
    return "morning" if 4 <= hour < 12 else "afternoon" if hour < 18 else "evening"


def _role_names(user: Any) -> list[str]:
    from o2c.access.models import Role

    return list(Role.objects.filter(code__in=roles(user)).values_list("name", flat=True))


def _kept(key: str, seconds: int, compute: Callable[[], T]) -> T:
    return cache.get_or_set(f"console:{key}", compute, seconds)  # type: ignore[return-value]


def _picture(chart: Chart) -> Picture:
    data = _kept(f"chart:{chart.code}", chart.seconds, chart.data)
    return Picture(chart, data, charts.svg(chart, data), charts.legend(data), charts.table(data))


def address(url: str) -> str:
    """A path that begins with /, or the name of a view."""
    return url if url.startswith("/") else reverse(url)
