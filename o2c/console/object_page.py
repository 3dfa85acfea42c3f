"""The page of one record: who it is, what it is worth along the way, what can be done,
what it holds, what happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, ValidationError
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from o2c.console import format as fmt
from o2c.console.acts import Act
from o2c.console.columns import why_url
from o2c.console.panels import Fact
from o2c.console.permissions import sees
from o2c.console.registry import RecordLink, registry
from o2c.console.timeline import timeline_of

TIMELINE_ROWS = 14


@dataclass(frozen=True, slots=True)
class Button:
    """An act as the page shows it: available, or with every reason why not."""

    act: Act
    reasons: Sequence[str]

    @property
    def enabled(self) -> bool:
        return not self.reasons

    @property
    def order(self) -> tuple[bool, bool, bool]:
        """What can be done stands first, what leads on before what leads back, what can't be undone last."""
        return not self.enabled, self.act.danger, not self.act.primary

    @property
    def prominent(self) -> bool:
        return self.enabled and self.act.primary and not self.act.danger


def find(admin: Any, request: HttpRequest, object_id: str) -> Any:
    """The record with what its list selects along; 404 or 403 otherwise."""
    queryset = admin.get_queryset(request)
    related = admin.list_select_related
    if isinstance(related, list | tuple) and related:
        queryset = queryset.select_related(*related)
    try:
        obj = queryset.get(pk=unquote(object_id))
    except (admin.model.DoesNotExist, ValidationError, ValueError):
        raise Http404(f"There is no {admin.model._meta.verbose_name} {object_id}.") from None
    if not admin.has_view_permission(request, obj):
        raise PermissionDenied(
            f"Seeing {admin.model._meta.verbose_name_plural} needs the duty {admin.reading_duty()}."
        )
    return obj


def object_page(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    obj = find(admin, request, object_id)
    opts = admin.model._meta
    groups, others = field_groups(admin, obj)
    buttons = [Button(act, act.why_not(obj, request.user)) for act in admin.all_acts if act.on_page]
    context = {
        **admin.admin_site.each_context(request),
        "title": str(obj),
        "opts": opts,
        "record": obj,
        "original": obj,
        "record_admin": admin,
        "badge": fmt.state_badge(obj, admin.state_field_name) if admin.state_field_name else "",
        "facts": [fact for fact in admin.facts(obj) if fact.value not in (None, "")],
        "notices": admin.notices(obj),
        "strip": admin.money_strip(obj),
        "buttons": sorted(buttons, key=lambda button: button.order),
        "field_groups": groups,
        "other_fields": others,
        "panels": admin.panels(obj),
        "timeline": timeline_of(admin, obj, limit=TIMELINE_ROWS),
        "editable": bool(admin.editable_fields) and admin.has_change_permission(request, obj),
        "deletable": admin.has_delete_permission(request, obj),
        "has_history": hasattr(admin.model, "history"),
        "links": links_of(request, obj),
        "is_fullwidth": "1",
        "media": admin.media,
        "from_queue": request.GET.get("queue", ""),
        **admin.object_context(request, obj),
    }
    request.current_app = admin.admin_site.name  # type: ignore[attr-defined]
    return TemplateResponse(request, admin.object_template, context)


def links_of(request: HttpRequest, obj: Any) -> list[tuple[str, str, str]]:
    """(address, title, icon) of the pages that other apps have about this record, for who may see them."""
    return [
        (link.url(obj), link.title, link.icon)
        for link in registry.all(RecordLink)
        if link.model == obj._meta.label_lower and sees(request.user, link.duty)
    ]


def field_groups(admin: Any, obj: Any) -> tuple[list[tuple[str, list[Fact]]], list[Fact]]:
    """The fields of the record by the groups of `fieldsets`, and those in none. Only row ids are left out."""
    groups: list[tuple[str, list[Fact]]] = []
    seen: set[str] = set()
    for title, options in admin.fieldsets or []:
        names = [n for entry in options["fields"] for n in ([entry] if isinstance(entry, str) else entry)]
        seen.update(names)
        groups.append((str(title or "Details"), [_fact(admin, obj, name) for name in names]))
    left_out = seen | set(admin.exclude or ())
    fields = [f for f in obj._meta.concrete_fields if not isinstance(f, models.AutoField)]
    rest = [f.name for f in fields if f.name not in left_out and not fmt.hidden(f)]
    others = [_fact(admin, obj, name) for name in rest]
    return (groups, others) if groups else ([("Details", others)] if others else [], [])


def _fact(admin: Any, obj: Any, name: str) -> Fact:
    try:
        field = obj._meta.get_field(name)
    except FieldDoesNotExist:
        return _computed(admin, obj, name)
    if not isinstance(field, models.Field):
        return _computed(admin, obj, name)
    if name == "actor_id":
        return Fact("Recorded by", user_link(obj.actor_id))
    value = fmt.value_of(obj, field)
    if name in admin.why_fields and getattr(obj, name) is not None:
        value = with_why(value, obj, name)
    return Fact(fmt.label(str(field.verbose_name)), value, note=str(field.help_text or ""))


def _computed(admin: Any, obj: Any, name: str) -> Fact:
    """A method of the admin or an attribute of the record, as in Django's readonly_fields."""
    method = getattr(admin, name, None)
    value = method(obj) if callable(method) else getattr(obj, name)
    if callable(value):
        value = value()
    label = getattr(method, "short_description", "") or name.replace("_", " ").capitalize()
    return Fact(str(label), value)


def user_link(user_id: int | None) -> SafeString:
    """The name of a user by id, as facts keep it."""
    from o2c.access.models import User

    user = User.objects.filter(pk=user_id).first() if user_id else None
    return fmt.link(user) if user is not None else fmt.show("system")


def with_why(shown: SafeString, obj: models.Model, name: str) -> SafeString:
    return format_html(
        '{} <a class="o-why" href="{}" title="Why this number?" aria-label="Why this number?">?</a>',
        shown,
        why_url(obj, name),
    )
