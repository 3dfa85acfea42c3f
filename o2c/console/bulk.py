"""Acts on many rows: a preview that says which rows will pass, which won't and why; then each by its own
service.

The preview asks exactly what the button of one row asks. The confirmation carries the rows that were
previewed, not
the filter, so that what is done is what was seen. Each row is its own transaction unless the act names a
`bulk_service`, which then does all of them or none, or answers which dropped out and why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from o2c.console import format as fmt
from o2c.console.act_views import moved_on
from o2c.console.acts import REFUSALS, Act, call, readable

LIMIT = 500
TYPE_THE_COUNT_ABOVE = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One selected record: why it won't pass (or [] if it will), or what came of it."""

    obj: Any
    reasons: Sequence[str]
    amount: SafeString
    seen: str = ""

    @property
    def passes(self) -> bool:
        return not self.reasons


def bulk_actions(admin: Any, request: HttpRequest) -> dict[str, Any]:
    """Entries for the action menu of a change list: {name: (function, name, description)}."""
    return {
        f"bulk_{act.name}": (
            _starter(act),
            f"bulk_{act.name}",
            f"{act.label}: preview for the selected rows…",
        )
        for act in admin.all_acts
        if act.bulkable
    }


def _starter(act: Act) -> Callable[..., HttpResponse | None]:
    def start(admin: Any, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        pks = list(queryset.order_by("pk").values_list("pk", flat=True)[: LIMIT + 1])
        if len(pks) > LIMIT:
            messages.error(request, f"At most {LIMIT} rows at once. Filter the list, or select fewer rows.")
            return None
        return _show_preview(admin, request, act, pks)

    return start


@require_POST
def preview(request: HttpRequest, act_name: str, *, admin: Any) -> HttpResponse:
    """POST of selected rows: the preview; with confirm=1, the doing."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    act = admin.act(act_name)
    if act is None or not act.bulkable:
        raise Http404(f"No bulk act {act_name!r}.")
    pks = request.POST.getlist("_selected_action")[: LIMIT + 1]
    if not pks or len(pks) > LIMIT:
        messages.error(request, f"Select between 1 and {LIMIT} rows.")
        return HttpResponseRedirect(_back(admin, request))
    if request.POST.get("confirm") != "1":
        return _show_preview(admin, request, act, pks)
    return _confirm(admin, request, act, pks)


def _show_preview(
    admin: Any, request: HttpRequest, act: Act, pks: Sequence[Any], problem: str = ""
) -> HttpResponse:
    rows = [_row(admin, act, obj, request.user) for obj in _load(admin, request, pks)]
    passing = [row for row in rows if row.passes]
    refusal = admin.bulk_refusal(act, [row.obj for row in passing]) if passing else ""
    context = {
        "rows": sorted(rows, key=lambda r: r.passes),
        "passing": passing,
        "refused": len(rows) - len(passing),
        "act": act,
        "form": act.form_class(None)(request.POST if problem else None),
        "problem": problem or refusal,
        "refusal": refusal,
        "totals": _totals(admin, passing),
        "type_count": len(passing) > TYPE_THE_COUNT_ABOVE,
        "text": "" if callable(act.description) else act.description,
        "post_to": reverse(_name(admin, "bulk"), args=(act.name,)),
        "back": _back(admin, request),
        "queue": request.POST.get("queue", ""),
    }
    return _page(admin, request, "console/bulk_preview.html", f"{act.label}: preview", context)


def _confirm(admin: Any, request: HttpRequest, act: Act, pks: Sequence[Any]) -> HttpResponse:
    form = act.form_class(None)(request.POST)
    if not form.is_valid():
        return _show_preview(admin, request, act, pks, "Fill in what is missing below.")
    if len(pks) > TYPE_THE_COUNT_ABOVE and request.POST.get("count", "").strip() != str(len(pks)):
        return _show_preview(admin, request, act, pks, f"Type {len(pks)} to confirm that many rows.")
    looked_at, outcomes = [], []
    for obj in _load(admin, request, pks):
        moved = moved_on(admin, obj, request.POST.get(f"seen_{obj.pk}", ""))
        if moved:
            outcomes.append(Row(obj, [moved], _amount(admin, obj)))
        else:
            looked_at.append(obj)
    outcomes += _perform(admin, request, act, looked_at, form.cleaned_data) if looked_at else []
    done = [row for row in outcomes if row.passes]
    context = {
        "rows": sorted(outcomes, key=lambda r: r.passes),
        "done": done,
        "refused": len(outcomes) - len(done),
        "totals": _totals(admin, done),
        "act": act,
        "back": _back(admin, request),
    }
    return _page(admin, request, "console/bulk_result.html", f"{act.label}: result", context)


def _perform(
    admin: Any, request: HttpRequest, act: Act, objs: Sequence[Any], fields: dict[str, Any]
) -> list[Row]:
    if act.bulk_service:
        values = dict(fields)
        reason = values.pop("reason", "") or ""
        pks = [obj.pk for obj in objs]
        dropped: dict[Any, str] = {}

        def perform() -> None:
            answer = call(act.bulk_service, (pks,), request, reason, values)
            if isinstance(answer, dict):
                dropped.update(answer)

        why = _attempt(perform)
        return [
            Row(obj, why or [dropped[obj.pk]] if why or obj.pk in dropped else [], _amount(admin, obj))
            for obj in objs
        ]
    return [
        Row(obj, _attempt(partial(act.perform, obj, request, fields)), _amount(admin, obj)) for obj in objs
    ]


def _attempt(perform: Callable[[], Any]) -> list[str]:
    try:
        perform()
    except REFUSALS as error:
        return [readable(error)]
    except DatabaseError as error:
        return [f"The database refused: {str(error).splitlines()[0]}"]
    return []


def _load(admin: Any, request: HttpRequest, pks: Sequence[Any]) -> list[Any]:
    queryset = admin.get_queryset(request).filter(pk__in=pks).order_by("pk")
    related = admin.list_select_related
    return list(
        queryset.select_related(*related) if isinstance(related, list | tuple) and related else queryset
    )


def _row(admin: Any, act: Act, obj: Any, user: Any) -> Row:
    return Row(obj, act.why_not(obj, user), _amount(admin, obj), admin.seen(obj))


def _amount(admin: Any, obj: Any) -> SafeString:
    if not admin.bulk_amount:
        return SafeString("")
    return fmt.money(getattr(obj, admin.bulk_amount), fmt.currency_of(obj))


def _totals(admin: Any, rows: Sequence[Row]) -> list[SafeString]:
    """The money behind the rows that pass, one amount per currency."""
    if not admin.bulk_amount:
        return []
    sums: dict[str, Decimal] = {}
    for row in rows:
        currency = fmt.currency_of(row.obj)
        sums[currency] = sums.get(currency, Decimal(0)) + (getattr(row.obj, admin.bulk_amount) or 0)
    return [fmt.money(amount, currency) for currency, amount in sorted(sums.items())]


def _name(admin: Any, suffix: str) -> str:
    opts = admin.model._meta
    return f"admin:{opts.app_label}_{opts.model_name}_{suffix}"


def _back(admin: Any, request: HttpRequest) -> str:
    queue = request.POST.get("queue", "")
    return reverse("admin:queue", args=(queue,)) if queue else reverse(_name(admin, "changelist"))


def _page(
    admin: Any, request: HttpRequest, template: str, title: str, context: dict[str, Any]
) -> HttpResponse:
    base = {
        **admin.admin_site.each_context(request),
        "title": title,
        "opts": admin.model._meta,
        "record_admin": admin,
    }
    return TemplateResponse(request, template, {**base, **context})
