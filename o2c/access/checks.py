"""System checks: no transition without a duty, no duty without a role, the middleware in its place."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks

from o2c.access import registry
from o2c.access.roles import SHIPPED

MIDDLEWARE = "o2c.access.middleware.ActorMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


def register() -> None:
    checks.register(check_transitions, "access")
    checks.register(check_duties, "access")
    checks.register(check_middleware, "access")


def check_transitions(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Every declared transition names a duty that some app declares."""
    from o2c.states import transitions_of

    return [
        checks.Error(
            f"The transition {model.__name__}.{transition.name} names the duty '{transition.duty}', "
            "which no app declares",
            hint=f"Add it to {model._meta.app_label}/duties.py: DUTIES, and to a role in ROLE_DUTIES.",
            obj=model,
            id="access.E001",
        )
        for model in apps.get_models()
        for transition in transitions_of(model)
        if transition.duty not in registry.known()
    ]


def check_duties(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Every duty belongs to a shipped role, and every role that an app names ships."""
    from o2c.access.services.roles import duties_for

    messages: list[checks.CheckMessage] = []
    covered = set().union(*(duties_for(role) for role in SHIPPED))
    for code in sorted(set(registry.known()) - covered):
        messages.append(
            checks.Error(
                f"The duty '{code}' belongs to no shipped role: nobody could do it",
                hint="Add it to ROLE_DUTIES of its app.",
                id="access.E002",
            )
        )
    for code in sorted(covered - set(registry.known())):
        messages.append(
            checks.Error(
                f"A shipped role has the duty '{code}', which no app declares",
                hint="Add it to DUTIES of its app, or take it out of ROLE_DUTIES.",
                id="access.E003",
            )
        )
    for role in sorted(registry.roles_named() - {shipped.code for shipped in SHIPPED}):
        messages.append(
            checks.Error(
                f"Some duties.py names the role '{role}', which does not ship",
                hint="Shipped roles: o2c/access/roles.py.",
                id="access.E004",
            )
        )
    return messages


def check_middleware(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """The actor is known only after authentication."""
    order = list(settings.MIDDLEWARE)
    if (
        MIDDLEWARE in order
        and AUTHENTICATION in order
        and order.index(MIDDLEWARE) > order.index(AUTHENTICATION)
    ):
        return []
    return [
        checks.Error(
            f"{MIDDLEWARE} has to be in MIDDLEWARE, after {AUTHENTICATION}",
            hint="Without it requests have no actor, and every write of a page is refused.",
            id="access.E005",
        )
    ]
