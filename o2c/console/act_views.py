"""The dialog of an act. GET shows it and changes nothing; POST, with its CSRF token, does it.

Pressing a button loads the dialog into the page by htmx (only the part named `o-dialog`); without
JavaScript the same
address is a page of its own.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from o2c.console import format as fmt
from o2c.console.acts import REFUSALS, readable
from o2c.console.object_page import find
from o2c.console.queues import next_in_queue


@require_http_methods(["GET", "POST"])
def act(request: HttpRequest, object_id: str, act_name: str, *, admin: Any) -> HttpResponse:
    obj = find(admin, request, object_id)
    found = admin.act(act_name)
    if found is None:
        raise Http404(f"{admin.model._meta.verbose_name} has no act {act_name!r}.")
    reasons = found.why_not(obj, request.user)
    form = found.form_class(obj)(request.POST or None, request.FILES or None)
    problem = ""
    if (
        request.method == "POST"
        and not reasons
        and (problem := _moved_on(admin, obj, request)) == ""
        and form.is_valid()
    ):
        problem = _attempt(lambda: found.perform(obj, request, form.cleaned_data))
        if not problem:
            messages.success(request, found.done or f"{obj}: {found.label} done.")
            return _go(request, _after(request, obj))
    context = {
        "act": found,
        "record": obj,
        "form": form,
        "reasons": reasons,
        "problem": problem,
        "text": found.text(obj),
        "panels": found.preview(obj, request.user) if found.preview and not reasons else [],
        "seen_state": _state(admin, obj),
        "heading": f"{found.label}: {obj}",
        "cancel": fmt.admin_url(obj),
        "queue": request.GET.get("queue", ""),
    }
    return _dialog(admin, request, context, failed=bool(problem or reasons or form.errors))


@require_http_methods(["GET", "POST"])
def list_act(request: HttpRequest, act_name: str, *, admin: Any) -> HttpResponse:
    if not admin.has_view_permission(request):
        raise PermissionDenied
    found = next((a for a in admin.list_acts if a.name == act_name), None)
    if found is None:
        raise Http404(f"{admin.model._meta.verbose_name_plural} have no act {act_name!r}.")
    reasons = found.why_not(request.user)
    form = found.form_class()(request.POST or None, request.FILES or None)
    problem, made = "", []
    if request.method == "POST" and not reasons and form.is_valid():
        problem = _attempt(lambda: made.append(found.perform(request, form.cleaned_data)))
        if not problem:
            messages.success(request, found.done or f"{found.label}: done.")
            return _go(request, _made_url(made[0]) or fmt.list_url(admin.model))
    context = {
        "act": found,
        "form": form,
        "reasons": reasons,
        "problem": problem,
        "text": found.description,
        "heading": found.label,
        "cancel": fmt.list_url(admin.model),
    }
    return _dialog(admin, request, context, failed=bool(problem or reasons or form.errors))


def _made_url(made: Any) -> str:
    return fmt.admin_url(made) if isinstance(made, models.Model) else ""


def _attempt(perform: Any) -> str:
    """'' when it was done; otherwise what a person is told. Everything was rolled back then."""
    try:
        perform()
    except REFUSALS as error:
        return readable(error)
    except DatabaseError as error:
        return f"The database refused: {str(error).splitlines()[0]}"
    return ""


def _state(admin: Any, obj: Any) -> str:
    return str(getattr(obj, admin.state_field_name)) if admin.state_field_name else ""


def _moved_on(admin: Any, obj: Any, request: HttpRequest) -> str:
    """Whoever decides must decide about what they saw:
    refuse when the state changed since the dialog opened.
    """
    seen, now = request.POST.get("seen_state", ""), _state(admin, obj)
    if seen and seen != now:
        return f"Meanwhile somebody else moved it from {seen} to {now}. Close this dialog and look again."
    return ""


def _after(request: HttpRequest, obj: Any) -> str:
    """The next row of the queue that the person works on, or the record's page."""
    queue = request.POST.get("queue") or request.GET.get("queue") or ""
    if queue and (following := next_in_queue(queue, request.user, after=obj.pk)):
        return following
    if queue:
        return reverse("admin:queue", args=(queue,))
    return fmt.admin_url(obj)


def _go(request: HttpRequest, address: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def _dialog(admin: Any, request: HttpRequest, context: dict[str, Any], *, failed: bool) -> HttpResponse:
    """The dialog alone for htmx, the whole page otherwise.

    A refused POST says so with 422 in the whole-page case.
    """
    context |= {"opts": admin.model._meta, "record_admin": admin, "post_to": request.get_full_path()}
    if request.headers.get("HX-Request"):
        return TemplateResponse(request, "console/dialog.html", context)
    context |= {**admin.admin_site.each_context(request), "title": context["heading"]}
    status = 422 if failed and request.method == "POST" else 200
    return TemplateResponse(request, "console/dialog_page.html", context, status=status)
