"""What a record was: versions side by side, the whole timeline, and the record as it stood at a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from o2c import vault
from o2c.console import format as fmt
from o2c.console.as_known import in_effect, parts_then, shown
from o2c.console.diffs import Names, Version, versions
from o2c.console.object_page import find
from o2c.console.timeline import timeline_of
from o2c.evidence.life import masked

PER_PAGE = 50
TIMELINE_ROWS = 500


class MomentForm(forms.Form):
    """A moment of knowledge in UTC, to the second; and a day of effect, where one matters."""

    at = forms.CharField(label="At (UTC)", max_length=40)
    on = forms.DateField(label="In effect on", required=False)

    def clean_at(self) -> datetime:
        text = self.cleaned_data["at"].strip()
        at = parse_datetime(text) or parse_datetime(f"{text} 23:59:59")
        if at is None:
            raise forms.ValidationError("Write a moment as 2026-08-31 or 2026-08-31 17:05, in UTC.")
        return at if at.tzinfo else at.replace(tzinfo=UTC)


def history(request: HttpRequest, object_id: str, *, admin: Any) -> HttpResponse:
    """Every version with what it changed, before and after side by side, who, why and in which request."""
    obj = find(admin, request, object_id)
    if not hasattr(admin.model, "history"):
        return _page(admin, request, obj, "console/history.html", "History", {"is_fact": True})
    rows = admin.model.history.filter(**{obj._meta.pk.attname: obj.pk}).order_by("-history_id")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("p"))
    context = {"page": page, "versions": _page_versions(page, rows), "moment_form": MomentForm()}
    return _page(admin, request, obj, "console/history.html", "History", context)


def _page_versions(page: Any, rows: Any) -> list[Version]:
    """The page's versions; the row before the oldest one is read along, so that its changes are known too."""
    start = page.start_index() - 1 if page.paginator.count else 0
    listed = list(rows[start : start + PER_PAGE + 1])
    return versions(listed)[:PER_PAGE]


@require_GET
def timeline(request: HttpRequest, object_id: str, *, admin: Any) -> HttpResponse:
    """The whole timeline, with its filter by kind. For htmx only the list."""
    obj = find(admin, request, object_id)
    kind = request.GET.get("kind", "")
    found = timeline_of(admin, obj, kind=kind, limit=TIMELINE_ROWS)
    context = {"timeline": found, "kind": kind}
    if request.headers.get("HX-Request"):
        return TemplateResponse(request, "console/timeline_list.html", {**context, "record": obj})
    return _page(admin, request, obj, "console/timeline.html", "Timeline", context)


def version(request: HttpRequest, object_id: str, version_id: str, *, admin: Any) -> HttpResponse:
    """One version by its id, which is the record as it stood right after that change."""
    obj = find(admin, request, object_id)
    row = get_object_or_404(admin.model.history, history_id=version_id, **{obj._meta.pk.attname: obj.pk})
    address = f"{fmt.admin_url(obj).removesuffix('change/')}as-of/"
    return HttpResponseRedirect(f"{address}?{urlencode({'at': row.history_date.isoformat()})}")


@require_GET
def as_of(request: HttpRequest, object_id: str, *, admin: Any) -> HttpResponse:
    """The record and its parts as they were known at a moment, beside the record as it stands now."""
    obj = find(admin, request, object_id)
    form = MomentForm(request.GET or None)
    context: dict[str, Any] = {"moment_form": form}
    if hasattr(admin.model, "history") and form.is_valid():
        at = form.cleaned_data["at"]
        row = (
            admin.model.history.filter(history_date__lte=at, **{obj._meta.pk.attname: obj.pk})
            .order_by("-history_id")
            .first()
        )
        gone = row is None or row.history_type == "-"
        on = form.cleaned_data["on"]
        context |= {"at": at, "on": on, "absent": gone, "version": row}
        if row is not None and not gone:
            context |= {"fields": _beside(obj, row), "parts": parts_then(obj, at, on)}
            context["outside"] = not in_effect(row, on)
    return _page(admin, request, obj, "console/as_of.html", "As it was", context)


def _beside(obj: Any, row: Any) -> list[tuple[str, Any, Any, bool]]:
    """(label, then, now, changed) for every field."""
    names = Names([row])
    compared = []
    for field in obj._meta.concrete_fields:
        if field.primary_key or fmt.hidden(field):
            continue
        then, now = getattr(row, field.attname), getattr(obj, field.attname)
        compared.append(
            (
                fmt.label(str(field.verbose_name)),
                shown(field, then, row, names),
                masked(field.name, now) if field.name in vault.names() else fmt.value_of(obj, field),
                then != now,
            )
        )
    return compared


def _page(
    admin: Any, request: HttpRequest, obj: Any, template: str, what: str, context: dict[str, Any]
) -> HttpResponse:
    base = {
        **admin.admin_site.each_context(request),
        "title": f"{what}: {obj}",
        "opts": admin.model._meta,
        "record": obj,
        "record_admin": admin,
        "original": obj,
    }
    return TemplateResponse(request, template, {**base, **context})
