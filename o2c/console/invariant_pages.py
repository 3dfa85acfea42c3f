"""The page of the checks that must find nothing: run all, see rows, see what each has said before."""

from __future__ import annotations

from typing import Any

from django.contrib import admin as django_admin
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from o2c.console.permissions import actor, holds
from o2c.invariants import all_invariants, services
from o2c.invariants.models import InvariantResult, InvariantRun

READ = "invariants.read"
PAST = 30


def _context(request: HttpRequest, title: str) -> dict[str, Any]:
    if not holds(request.user, READ):
        raise PermissionDenied(f"Seeing the checks needs the duty {READ}.")
    return {
        **django_admin.site.each_context(request),
        "title": title,
        "may_run": holds(request.user, services.DUTY),
    }


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """Every declared invariant with what it said last; failing ones first."""
    context = _context(request, "Checks")
    latest = {
        result.code: result
        for result in InvariantResult.objects.order_by("code", "-id").distinct("code").select_related("run")
    }
    rows = [(invariant, latest.get(invariant.code)) for invariant in all_invariants()]
    rows.sort(key=lambda r: (r[1] is not None and r[1].passed, r[0].code))
    context |= {
        "rows": rows,
        "last_run": InvariantRun.objects.first(),
        "failing": sum(1 for _, result in rows if result is not None and not result.passed),
        "never": sum(1 for _, result in rows if result is None),
    }
    return TemplateResponse(request, "console/checks.html", context)


@require_POST
def run(request: HttpRequest) -> HttpResponse:
    """Ask all, or the one named in `code`; the service refuses without the duty."""
    code = request.POST.get("code", "")
    if not holds(request.user, services.DUTY):
        raise PermissionDenied(f"Running the checks needs the duty {services.DUTY}.")
    done = services.run(actor=actor(request), codes=[code] if code else None, reason="asked on the page")
    if done.failing:
        messages.error(request, f"{done.failing} of {done.checked} checks fail.")
    else:
        messages.success(request, f"All {done.checked} checks hold ({done.seconds} s).")
    return HttpResponseRedirect(reverse("admin:check", args=(code,)) if code else reverse("admin:checks"))


@require_GET
def one(request: HttpRequest, code: str) -> HttpResponse:
    """One invariant: its query, the rows of its last answer, and its past answers."""
    invariant = next((i for i in all_invariants() if i.code == code), None)
    if invariant is None:
        raise Http404(f"There is no check {code!r}.")
    past = list(InvariantResult.objects.filter(code=code).select_related("run").order_by("-id")[:PAST])
    context = _context(request, invariant.code)
    context |= {
        "invariant": invariant,
        "sql": invariant.query().strip(),
        "past": past,
        "last": past[0] if past else None,
        "columns": list(past[0].sample[0]) if past and past[0].sample else [],
        "sample": [list(row.values()) for row in past[0].sample] if past else [],
    }
    return TemplateResponse(request, "console/check.html", context)
