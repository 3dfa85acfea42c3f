"""Search for anything by what people have in hand: a number, a name, a reference, an amount.

Each RecordAdmin says in `find_fields` where it can be found ('number' by its beginning, '*name' by any
part, '=ref'
exactly) and in `find_amounts` which amounts '=1234.50' finds. An exact hit on one record opens it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import admin as django_admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from o2c.console import format as fmt

PER_MODEL = 8
SHORTEST = 2


@dataclass(frozen=True, slots=True)
class Hit:
    obj: Any
    kind: str
    icon: str
    href: str
    exact: bool
    note: str


def search(request: HttpRequest, text: str) -> list[Hit]:
    """Up to PER_MODEL hits per model that the person may see; exact ones first. One query per model."""
    words = text.strip()
    if len(words) < SHORTEST:
        return []
    hits: list[Hit] = []
    for admin in django_admin.site._registry.values():
        if _condition(admin, words) is not None and admin.has_view_permission(request):
            hits += _hits(admin, request, words)
    return sorted(hits, key=lambda h: not h.exact)


def _condition(admin: Any, words: str) -> Q | None:
    if words.startswith("="):
        amount = _amount(words[1:])
        fields: Sequence[str] = getattr(admin, "find_amounts", ()) if amount is not None else ()
        return _any([Q(**{name: amount}) for name in fields])
    return _any([_one(name, words) for name in getattr(admin, "find_fields", ())])


def _any(conditions: list[Q]) -> Q | None:
    found: Q | None = None
    for condition in conditions:
        found = condition if found is None else found | condition
    return found


def _one(name: str, words: str) -> Q:
    if name.startswith("*"):
        return Q(**{f"{name[1:]}__icontains": words})
    if name.startswith("="):
        return Q(**{f"{name[1:]}__iexact": words})
    return Q(**{f"{name}__istartswith": words})


def _amount(text: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", "").strip())
    except InvalidOperation:
        return None


def _hits(admin: Any, request: HttpRequest, words: str) -> list[Hit]:
    condition = _condition(admin, words)
    assert condition is not None
    queryset = admin.get_queryset(request).filter(condition).order_by("-pk")
    related = admin.list_select_related
    if isinstance(related, list | tuple) and related:
        queryset = queryset.select_related(*related)
    kind = str(admin.model._meta.verbose_name)
    return [
        Hit(
            obj,
            kind[:1].upper() + kind[1:],
            admin.icon,
            fmt.admin_url(obj),
            _is_exact(admin, obj, words),
            _note(admin, obj),
        )
        for obj in queryset[:PER_MODEL]
    ]


def _is_exact(admin: Any, obj: Any, words: str) -> bool:
    names = [name.lstrip("*=") for name in admin.find_fields]
    return any(
        str(getattr(obj, name, "") or "").lower() == words.lower() for name in names if "__" not in name
    )


def _note(admin: Any, obj: Any) -> str:
    """What tells hits of one kind apart: the state, if there is one."""
    if not admin.state_field_name:
        return ""
    display = getattr(obj, f"get_{admin.state_field_name}_display", None)
    return str(display()) if callable(display) else ""


@require_GET
def find_page(request: HttpRequest) -> HttpResponse:
    """The page of hits; a single exact hit is opened right away."""
    words = request.GET.get("q", "")
    hits = search(request, words)
    exact = [hit for hit in hits if hit.exact]
    if len(exact) == 1 and "stay" not in request.GET:
        return HttpResponseRedirect(exact[0].href)
    site = django_admin.site
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(hit.kind, []).append(hit)
    context = {
        **site.each_context(request),
        "title": "Search",
        "q": words,
        "groups": groups,
        "per_model": PER_MODEL,
    }
    return TemplateResponse(request, "console/find.html", context)
