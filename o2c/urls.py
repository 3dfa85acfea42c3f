"""Addresses: the console at /admin/, the API at /api/v1/, health and metrics for machines."""

from __future__ import annotations

from importlib.util import find_spec

from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView


def _api() -> list[URLPattern | URLResolver]:
    """Each app's api/urls.py, all under /api/v1/."""
    return _included("o2c.api.urls", *(f"{config.name}.api.urls" for config in apps.get_app_configs()))


def _public() -> list[URLPattern | URLResolver]:
    """Each app's public_urls.py: pages for people who are not signed in."""
    return _included(*(f"{config.name}.public_urls" for config in apps.get_app_configs()))


def _console() -> list[URLPattern | URLResolver]:
    """Each app's console_urls.py: pages for people who are signed in, beside those of the admin site."""
    return _included(*(f"{config.name}.console_urls" for config in apps.get_app_configs()))


def _included(*modules: str) -> list[URLPattern | URLResolver]:
    return [path("", include(name)) for name in modules if _exists(name)]


def _exists(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("o2c.runtime.urls")),
    path("", include(_public())),
    path("api/v1/", include(_api())),
    path("admin/", include(_console())),
    path("admin/", admin.site.urls),
]

handler400 = "o2c.console.errors.bad_request"
handler403 = "o2c.console.errors.forbidden"
handler404 = "o2c.console.errors.not_found"
handler500 = "o2c.console.errors.server_error"
