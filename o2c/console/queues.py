"""Work queues: what waits for whom, since when, and for how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin as django_admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import (
    CharField,
    Count,
    DateTimeField,
    DecimalField,
    F,
    Min,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.functions import Cast
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from o2c import clock
from o2c.console import format as fmt
from o2c.console.panels import Column
from o2c.console.permissions import sees
from o2c.console.registry import Queue, registry

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class QueueSummary:
    """A queue as home shows it. `money` holds one formatted amount per currency."""

    queue: Queue
    count: int
    oldest: datetime | None
    late: bool
    money: Sequence[SafeString]

    @property
    def href(self) -> str:
        return reverse("admin:queue", args=(self.queue.code,))

    @property
    def age(self) -> SafeString:
        return fmt.age(self.oldest, clock.now(), self.queue.sla_hours)


def queues_for(user: Any) -> list[Queue]:
    return [q for q in registry.all(Queue) if sees(user, q.duty, q.roles)]


def summaries(user: Any, queues: Sequence[Queue] | None = None) -> list[QueueSummary]:
    """Count, oldest and money of every queue of the user, in one query however many queues there are."""
    chosen = queues_for(user) if queues is None else list(queues)
    if not chosen:
        return []
    parts = [_figures(q, q.rows(user)) for q in chosen]
    rows = parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0]
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["o_queue"], []).append(row)
    return [_summary(q, found.get(q.code, [])) for q in chosen]


def _figures(queue: Queue, rows: QuerySet[Any]) -> QuerySet[Any, dict[str, Any]]:
    """One row per currency: queue, currency, count, oldest, sum. The same types for every queue,
    for the union.
    """
    amount_type = DecimalField(max_digits=30, decimal_places=3)
    currency = F(queue.currency) if queue.amount else Value("")
    return (
        rows.order_by()
        .annotate(o_queue=Value(queue.code, output_field=CharField()), o_currency=Cast(currency, CharField()))
        .values("o_queue", "o_currency")
        .annotate(
            o_count=Count("pk"),
            o_oldest=Min(Cast(F(queue.since), DateTimeField())),
            o_sum=Sum(queue.amount) if queue.amount else Cast(Value(None), amount_type),
        )
        .values("o_queue", "o_currency", "o_count", "o_oldest", "o_sum")
    )


def _summary(queue: Queue, rows: Sequence[dict[str, Any]]) -> QueueSummary:
    count = sum(row["o_count"] for row in rows)
    oldest = min((row["o_oldest"] for row in rows if row["o_oldest"]), default=None)
    late = bool(oldest and queue.sla_hours and clock.now() - oldest > timedelta(hours=queue.sla_hours))
    money = [
        fmt.money(row["o_sum"], row["o_currency"])
        for row in sorted(rows, key=lambda r: r["o_currency"])
        if queue.amount and row["o_sum"]
    ]
    return QueueSummary(queue, count, oldest, late, money)


@dataclass(frozen=True, slots=True)
class QueueRow:
    obj: Any
    cells: Sequence[Any]
    why: str
    age: SafeString
    amount: SafeString
    owner: str
    href: str
    reasons: Sequence[str]


@require_GET
def queue_page(request: HttpRequest, code: str) -> HttpResponse:
    """The rows of one queue, oldest first (or by amount), each with why it is here and what can be done."""
    queue = registry.get(Queue, code)
    if queue is None:
        raise Http404(f"There is no work queue {code!r}.")
    if not sees(request.user, queue.duty, queue.roles):
        raise PermissionDenied(f"The queue '{queue.title}' is for holders of the duty {queue.duty}.")
    site = django_admin.site
    every = queue.rows(request.user)
    by = request.GET.get("by", "") if queue.by else ""
    rows = _sorted(queue, every.filter(**{queue.by: by}) if by else every, request.GET.get("sort", ""))
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("p"))
    record_admin: Any = site._registry.get(rows.model)
    columns = [_heading(rows.model, name) for name in queue.columns]
    context = {
        **site.each_context(request),
        "title": queue.title,
        "queue": queue,
        "page": page,
        "rows": [_row(queue, record_admin, obj, columns, request.user) for obj in page.object_list],
        "columns": columns,
        "act": record_admin.act(queue.act) if queue.act and hasattr(record_admin, "act") else None,
        "summary": summaries(request.user, [queue])[0],
        "sort": request.GET.get("sort", ""),
        "by": by,
        "kinds": _kinds(queue, every),
        "bulk_url": _bulk_url(rows.model, queue),
        "is_fullwidth": "1",
        "opts_of_rows": rows.model._meta,
        "others": [s for s in summaries(request.user) if s.count and s.queue.code != code],
    }
    return TemplateResponse(request, "console/queue.html", context)


def _kinds(queue: Queue, rows: QuerySet[Any]) -> list[tuple[str, str, int]]:
    """(value, its name, how many) of what the queue is narrowed by; none when all rows are of one."""
    if not queue.by:
        return []
    found = rows.order_by().values_list(queue.by).annotate(count=Count("pk"))
    kinds = sorted((queue.by_name(value), str(value), count) for value, count in found)
    return [(value, name, count) for name, value, count in kinds] if len(kinds) > 1 else []


def _heading(model: Any, name: str) -> Column:
    from o2c.console.panels import Panel

    return Panel("", model._default_manager.none(), [name], link_rows=False).resolved[0]


def _sorted(queue: Queue, rows: QuerySet[Any], sort: str) -> QuerySet[Any]:
    if sort == "amount" and queue.amount:
        return rows.order_by(F(queue.amount).desc(nulls_last=True), "pk")
    if sort == "newest":
        return rows.order_by(F(queue.since).desc(nulls_last=True), "-pk")
    return rows.order_by(F(queue.since).asc(nulls_last=True), "pk")


def _row(queue: Queue, record_admin: Any, obj: Any, columns: Sequence[Column], user: Any) -> QueueRow:
    amount = Column(queue.amount.replace("__", ".")).raw(obj) if queue.amount else None
    currency = Column(queue.currency.replace("__", ".")).raw(obj) if queue.amount else ""
    owner = Column(queue.owner.replace("__", ".")).raw(obj) if queue.owner else ""
    act = record_admin.act(queue.act) if queue.act and hasattr(record_admin, "act") else None
    href = fmt.admin_url(obj)
    return QueueRow(
        obj=obj,
        cells=[column.cell(obj) for column in columns],
        why=queue.why(obj) if callable(queue.why) else queue.why,
        age=fmt.age(_since(queue, obj), clock.now(), queue.sla_hours),
        amount=fmt.money(amount, str(currency or "")) if isinstance(amount, Decimal) else fmt.DASH,
        owner=str(owner or ""),
        href=f"{href}?queue={queue.code}" if href else "",
        reasons=act.why_not(obj, user) if act else [],
    )


def _since(queue: Queue, obj: Any) -> datetime | date | None:
    value = getattr(obj, queue.since, None) if queue.since in obj.__dict__ else None
    if value is None:
        value = Column(queue.since.replace("__", ".")).raw(obj)
    return value if isinstance(value, date) else None


def _bulk_url(model: Any, queue: Queue) -> str:
    opts = model._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_bulk", args=(queue.act,)) if queue.act else ""


def next_in_queue(code: str, user: Any, *, after: Any) -> str:
    """Address of the next row that waits in the queue, '' when it is empty or not the user's."""
    queue = registry.get(Queue, code)
    if queue is None or not sees(user, queue.duty, queue.roles):
        return ""
    following = _sorted(queue, queue.rows(user).exclude(pk=after), "").first()
    href = fmt.admin_url(following)
    return f"{href}?queue={code}" if href else ""
