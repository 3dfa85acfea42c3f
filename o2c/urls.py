"""Addresses: the console at /admin/, the API at /api/v1/, health and metrics for machines."""

from __future__ import annotations

from importlib.util import find_spec

from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView


def _api() -> list[URLPattern | URLResolver]:
    """Each app's api/urls.py, all under /api/v1/."""
    modules = [f"{config.name}.api.urls" for config in apps.get_app_configs()]
    kernel = ["o2c.api.urls"] if find_spec("o2c.api") and find_spec("o2c.api.urls") else []
    own = [name for name in modules if _exists(name)]
    return [path("", include(name)) for name in (*kernel, *own)]


def _exists(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("api/v1/", include(_api())),
    path("admin/", admin.site.urls),
]

handler400 = "o2c.console.errors.bad_request"
handler403 = "o2c.console.errors.forbidden"
handler404 = "o2c.console.errors.not_found"
handler500 = "o2c.console.errors.server_error"
