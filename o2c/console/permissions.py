"""What the signed-in person may see and do, asked once per request.

Whether an act is allowed is decided by the service that does it (`o2c.access.require`). What is asked here
only
decides what a page shows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from o2c.access import duties_of
from o2c.access.authorise import in_force
from o2c.access.client import signed_in_request
from o2c.access.models import User
from o2c.actor import Actor

_DUTIES = "_console_duties"
_ROLES = "_console_roles"


def person(request: HttpRequest) -> User:
    """Who is signed in. Every page of the admin site has seen to it that somebody is."""
    return cast(User, request.user)


def actor(request: HttpRequest) -> Actor:
    return Actor.of(person(request))


def duties(user: Any) -> frozenset[str]:
    """All duties of the user now. Kept on the user object, which lives as long as the request."""
    held: frozenset[str] | None = getattr(user, _DUTIES, None)
    if held is None:
        held = duties_of(user)
        if getattr(user, "pk", None):
            setattr(user, _DUTIES, held)
    return held


def roles(user: Any) -> frozenset[str]:
    """Codes of the roles that the user holds now."""
    held: frozenset[str] | None = getattr(user, _ROLES, None)
    if held is None:
        if not getattr(user, "is_authenticated", False):
            return frozenset()
        held = frozenset(user.grants.filter(in_force()).values_list("role__code", flat=True))
        setattr(user, _ROLES, held)
    return held


def holds(user: Any, duty: str) -> bool:
    """Whether the user holds the duty. Being a superuser implies no duty."""
    return duty in duties(user)


def sees(user: Any, duty: str = "", roles_named: Iterable[str] = ()) -> bool:
    """Whether an entry for holders of `duty` or of one of the roles is shown to the user. Neither named:
    to all.
    """
    named = frozenset(roles_named)
    if not duty and not named:
        return True
    return bool(duty and holds(user, duty)) or bool(roles(user) & named)


def may_open(model: type[Model]) -> bool:
    """Whether pages of `model` open for the person whose request is answered; so that nobody is offered a
    link that would be refused. True outside a request, and for what is no record of the console.
    """
    request, page = signed_in_request.get(), admin.site._registry.get(model)
    return request is None or page is None or page.has_view_permission(request)


def reading_duty(app_label: str) -> str:
    """The duty that opens an app's pages."""
    return f"{app_label}.read"
