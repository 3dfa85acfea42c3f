"""System check: every API call names a duty that exists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core import checks
from django.urls import URLPattern, URLResolver, get_resolver

from o2c.access import registry
from o2c.access.middleware import SAFE_METHODS
from o2c.api.permissions import SIGNED_IN


def register() -> None:
    checks.register(check_duties, "api")


def check_duties(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Every method that a view of ours answers has a duty, and every such duty is declared."""
    messages: list[checks.CheckMessage] = []
    for route, view in routes():
        if not is_call(view):
            continue
        handled = {name.upper() for name in view.http_method_names if hasattr(view, name)} - {
            "OPTIONS",
            "HEAD",
            "TRACE",
        }
        for method in sorted(handled):
            duty = view.duties.get(method, "")
            if duty == SIGNED_IN and method in SAFE_METHODS:
                continue
            if duty not in registry.known():
                messages.append(
                    checks.Error(
                        f"{method} /{route} ({view.__name__}) names "
                        + (f"the duty '{duty}', which no app declares" if duty else "no duty"),
                        hint="Set it in the view's `duties`, and declare it in the app's duties.py.",
                        id="api.E001",
                    )
                )
            elif duty.endswith(".read") and method not in SAFE_METHODS:
                messages.append(
                    checks.Error(f"{method} /{route} writes with the reading duty '{duty}'", id="api.E002")
                )
    return messages


def is_call(view: Any) -> bool:
    """True for a view of the API; False for a page that happens to be mounted there."""
    from o2c.api.views import ApiView

    return isinstance(view, type) and issubclass(view, ApiView)


def routes(prefix: str = "api/") -> Iterator[tuple[str, Any]]:
    """(route, view) of every address that begins with `prefix`: the view's class, or its function."""
    for route, pattern in _walk(get_resolver().url_patterns):
        if route.startswith(prefix):
            view = pattern.callback
            yield route, getattr(view, "view_class", None) or getattr(view, "cls", None) or view


def _walk(patterns: Any, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        else:
            yield route, pattern
