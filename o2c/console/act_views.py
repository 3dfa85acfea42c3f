"""The dialog of an act. GET shows it and changes nothing; POST, with its CSRF token, does it.

Pressing a button loads the dialog into the page by htmx (only the part named `o-dialog`); without
JavaScript the same
address is a page of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from o2c.console import format as fmt
from o2c.console.acts import REFUSALS, Act, Foresee, ListAct, readable
from o2c.console.object_page import find
from o2c.console.queues import next_in_queue

AHEAD = "Asked who would have to approve it"  # the reason of what is taken back, until one is entered


@require_http_methods(["GET", "POST"])
def act(request: HttpRequest, object_id: str, act_name: str, *, admin: Any) -> HttpResponse:
    obj = find(admin, request, object_id)
    found = admin.act(act_name)
    if found is None:
        raise Http404(f"{admin.model._meta.verbose_name} has no act {act_name!r}.")
    asked = Asked(
        found, found.why_not(obj, request.user), found.form_class(obj), f"{found.name_of_act}: {obj}"
    )
    asked.context |= {
        "record": obj,
        "text": found.text(obj),
        "panels": found.preview(obj, request.user)
        if found.preview and (found.look or not asked.reasons)
        else [],
        "seen_state": admin.seen(obj),
        "cancel": fmt.admin_url(obj),
        "queue": request.GET.get("queue", ""),
    }
    asked.answer(request, lambda fields: found.perform(obj, request, fields), _moved_on(admin, obj, request))
    if asked.finished and not asked.shown:
        messages.success(request, found.done or f"Done: {found.name_of_act}, {obj}.")
        return _go(request, _after(request, obj, asked.made if found.follow else None))
    return _dialog(admin, request, asked)


@require_http_methods(["GET", "POST"])
def list_act(request: HttpRequest, act_name: str, *, admin: Any) -> HttpResponse:
    if not admin.has_view_permission(request):
        raise PermissionDenied
    found = next((a for a in admin.list_acts if a.name == act_name), None)
    if found is None:
        raise Http404(f"{admin.model._meta.verbose_name_plural} have no act {act_name!r}.")
    asked = Asked(found, found.why_not(request.user), found.form_class(), found.name_of_act)
    asked.context |= {"text": found.description, "cancel": fmt.list_url(admin.model)}
    asked.answer(request, lambda fields: found.perform(request, fields))
    if asked.finished and not asked.shown:
        messages.success(request, found.done or f"Done: {found.name_of_act}.")
        return _go(request, _made_url(asked.made) or fmt.list_url(admin.model))
    return _dialog(admin, request, asked)


class Asked:
    """One showing of a dialog: what it asks, and what came of the answer."""

    def __init__(self, act: Act | ListAct, reasons: list[str], form: type[forms.Form], heading: str) -> None:
        self.act, self.reasons, self.form_class, self.heading = act, reasons, form, heading
        self.form: forms.Form | None = None
        self.problem, self.finished, self.made = "", False, None
        self.shown: list[tuple[str, str]] = []
        self.context: dict[str, Any] = {}

    def answer(self, request: HttpRequest, perform: Callable[[Any], Any], moved_on: str = "") -> None:
        """On POST: do it, unless something speaks against it. On GET: nothing but the empty form."""
        if request.method != "POST":
            self.form = self.form_class()
            return
        self.form = self.form_class(request.POST, request.FILES)
        self.problem = moved_on
        ahead = self.act.foresee if "foresee" in request.POST else None
        if ahead is not None and "reason" in self.form.fields:
            self.form.fields["reason"].required = False  # nothing is done yet
        if self.reasons or self.problem or not self.form.is_valid():
            return
        if ahead is not None:
            self._look_ahead(ahead, perform, {"reason": AHEAD} | self._filled(self.form.cleaned_data))
            return
        try:
            self.made = perform(self.form.cleaned_data)
        except REFUSALS as error:
            self.problem = readable(error)
        except DatabaseError as error:
            self.problem = f"The database refused: {str(error).splitlines()[0]}"
        else:
            self.finished = True
            self.shown = list(self.act.shown(self.made)) if self.act.shown else []

    def _look_ahead(self, ahead: Foresee, perform: Callable[[Any], Any], fields: dict[str, Any]) -> None:
        """Do it, see what came of it, and take it back."""
        try:
            with transaction.atomic():
                self.context["panels"] = list(ahead(perform(fields)))
                transaction.set_rollback(True)
        except REFUSALS as error:
            self.problem = readable(error)
        except DatabaseError as error:
            self.problem = f"The database refused: {str(error).splitlines()[0]}"

    @staticmethod
    def _filled(fields: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in fields.items() if name != "reason" or value}


def _made_url(made: Any) -> str:
    return fmt.admin_url(made) if isinstance(made, models.Model) else ""


def _moved_on(admin: Any, obj: Any, request: HttpRequest) -> str:
    """Whoever decides must decide about what they saw: refuse when it changed since the dialog opened."""
    seen = request.POST.get("seen_state", "") if request.method == "POST" else ""
    return moved_on(admin, obj, seen)


def moved_on(admin: Any, obj: Any, seen: str) -> str:
    """What happened since somebody looked and saw `seen`; "" when it is still so, or nobody said."""
    if not seen or seen == admin.seen(obj):
        return ""
    before, now = seen.split(" ")[0], admin.seen(obj).split(" ")[0]
    if before == now:
        return "Meanwhile its values changed. Close this dialog and look again."
    names = dict(obj._meta.get_field(admin.state_field_name).flatchoices)
    was, became = (str(names.get(state, fmt.words(state))).lower() for state in (before, now))
    return f"Meanwhile somebody else moved it from {was} to {became}. Close this dialog and look again."


def _after(request: HttpRequest, obj: Any, made: Any) -> str:
    """The next row of the queue that the person works on; else the record that was made; else the page."""
    queue = request.POST.get("queue") or request.GET.get("queue") or ""
    if queue:
        following = next_in_queue(queue, request.user, after=obj.pk)
        return following or reverse("admin:queue", args=(queue,))
    return _made_url(made) or fmt.admin_url(obj)


def _go(request: HttpRequest, address: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def _dialog(admin: Any, request: HttpRequest, asked: Asked) -> HttpResponse:
    """The dialog alone for htmx, a whole page otherwise. A refused POST of a whole page answers 422."""
    context = asked.context | {
        "act": asked.act,
        "form": asked.form,
        "reasons": asked.reasons,
        "foreseeable": asked.act.foresee is not None,
        "problem": asked.problem,
        "heading": asked.heading,
        "shown": asked.shown,
        "opts": admin.model._meta,
        "record_admin": admin,
        "post_to": request.get_full_path(),
    }
    if request.headers.get("HX-Request"):
        return TemplateResponse(request, "console/dialog.html", context)
    context |= {**admin.admin_site.each_context(request), "title": asked.heading}
    refused = request.method == "POST" and not asked.finished
    return TemplateResponse(request, "console/dialog_page.html", context, status=422 if refused else 200)
