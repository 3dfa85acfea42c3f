"""The OpenAPI document, and the Swagger page that shows it from files of ours, without the internet."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import redirect_to_login
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotAuthenticated


class SchemaView(SpectacularAPIView):
    """The OpenAPI 3.0 document of this API."""


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI. The split view serves its script as a file: the content security policy allows no
    inline script.
    """

    url_name = "api-schema"

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, NotAuthenticated):
            return redirect_to_login(self.request.get_full_path())
        return super().handle_exception(exc)
