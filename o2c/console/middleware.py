"""What the admin's pages need beyond the strict content policy of the rest, and how they refuse."""

from __future__ import annotations

from collections.abc import Callable

from csp.constants import UNSAFE_EVAL
from django.http import HttpRequest, HttpResponse

from o2c.console.errors import refused
from o2c.errors import DomainError

ADMIN = "/admin/"


class ConsolePolicy:
    """Unfold's Alpine build evaluates expressions: 'unsafe-eval' on the admin's pages, and nowhere else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(ADMIN):
            response._csp_update = {"script-src": [UNSAFE_EVAL]}  # type: ignore[attr-defined]
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A refusal that no dialog caught is a page that says it, not a failure of ours."""
        if request.path.startswith(ADMIN) and isinstance(exception, DomainError):
            return refused(request, exception)
        return None
