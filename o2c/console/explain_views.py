"""'Why this number': the page behind an amount, as far as the app explains it."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from o2c.console import format as fmt
from o2c.console.acts import resolve
from o2c.console.object_page import find
from o2c.console.registry import Explanation


@require_GET
def why(request: HttpRequest, object_id: str, field: str, *, admin: Any) -> HttpResponse:
    obj = find(admin, request, object_id)
    path = admin.why_fields.get(field)
    if path is None:
        raise Http404(f"Nothing explains {field!r} of a {admin.model._meta.verbose_name}.")
    explanation: Explanation = resolve(path)(obj)
    context = {
        **admin.admin_site.each_context(request),
        "title": f"Why {fmt.plain_money(explanation.amount, explanation.currency)} {explanation.currency}?",
        "opts": admin.model._meta,
        "record": obj,
        "explanation": explanation,
        "amount": fmt.money(explanation.amount, explanation.currency),
        "recomputed": fmt.money(explanation.recomputed, explanation.currency),
        "agrees": explanation.recomputed is None or explanation.recomputed == explanation.amount,
    }
    return TemplateResponse(request, "console/why.html", context)
