"""The sidebar: pages by area, those the person may see. Areas where the person acts are open,
the others folded.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin as django_admin
from django.http import HttpRequest
from django.urls import reverse

from o2c.console.home import address
from o2c.console.permissions import duties, sees
from o2c.console.registry import Page, registry

AREAS = (
    "Orders",
    "Billing",
    "Cash",
    "Collections",
    "Revenue",
    "Partners",
    "Ledger",
    "Controls & audit",
    "People and access",
    "System",
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups for Unfold's sidebar. No query but the one for the person's duties."""
    if not request.user.is_authenticated:
        return []
    groups: dict[str, list[dict[str, Any]]] = {area: [] for area in AREAS}
    acting_in: set[str] = set()
    registered: dict[Any, Any] = dict(django_admin.site._registry)
    for model, admin in registered.items():
        area = getattr(admin, "area", "")
        if not area or not admin.in_sidebar or not admin.has_view_permission(request):
            continue
        groups.setdefault(area, []).append(_of_model(model, admin))
        if _acts_in(request.user, admin):
            acting_in.add(area)
    for page in registry.all(Page):
        if sees(request.user, page.duty, page.roles):
            groups.setdefault(page.area, []).append(
                _item(page.title, address(page.url), page.icon, page.position)
            )
    _mark(groups, request.path)
    top = {"title": "", "separator": False, "items": [_item("Home", reverse("admin:index"), "home", 0)]}
    return [top, *(_group(area, items, area in acting_in) for area, items in groups.items() if items)]


def _mark(groups: dict[str, list[dict[str, Any]]], path: str) -> None:
    """Only the page that one is on is marked: the longest address that the present one begins with."""
    items = [item for found in groups.values() for item in found]
    here = max((item["link"] for item in items if path.startswith(item["link"])), key=len, default="")
    for item in items:
        item["active"] = item["link"] == here


def _acts_in(user: Any, admin: Any) -> bool:
    """Whether one of the record's acts or edits is the person's."""
    wanted = {act.duty for act in admin.all_acts} | {act.duty for act in admin.list_acts} | {admin.edit_duty}
    return bool(wanted & duties(user))


def _group(area: str, items: list[dict[str, Any]], opened: bool) -> dict[str, Any]:
    ordered = sorted(items, key=lambda item: (item["position"], item["title"]))
    return {"title": area, "separator": False, "collapsible": not opened, "items": ordered}


def _of_model(model: Any, admin: Any) -> dict[str, Any]:
    opts = model._meta
    address_of_list = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    return _item(admin.list_title, address_of_list, admin.icon, admin.nav_position)


def _item(title: str, link: str, icon: str, position: int) -> dict[str, Any]:
    return {"title": title, "link": link, "icon": icon, "position": position}
