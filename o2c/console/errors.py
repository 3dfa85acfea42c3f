"""Error pages: what happened, what to do, and the id by which the log knows the request."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import loader

from o2c.console.acts import request_id_of
from o2c.errors import DomainError


def _page(request: HttpRequest, status: int, **context: str) -> HttpResponse:
    """Rendered without context processors and without the database: it must work when they don't."""
    context["request_id"] = request_id_of(request)
    return HttpResponse(
        loader.get_template("console/error.html").render({**context, "status": str(status)}), status=status
    )


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(
        request,
        400,
        heading="That request can't be understood",
        remedy="Go back and try again. If it happens again, tell an administrator the id below.",
    )


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(
        request,
        403,
        heading="You may not see this",
        detail=str(exception or ""),
        remedy="A role that an administrator grants would open it. Nothing was changed.",
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    detail = str(exception) if exception and not isinstance(exception.args[:1], dict) else ""
    return _page(
        request,
        404,
        heading="There is nothing here",
        detail="" if "tried" in detail else detail,
        remedy="The address may be old or mistyped. Search for the number or the name instead.",
    )


def server_error(request: HttpRequest) -> HttpResponse:
    return _page(
        request,
        500,
        heading="Something went wrong on our side",
        remedy="Nothing was saved: what you did was rolled back. Tell an administrator the id below.",
    )


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    """What the record does not allow, where a page was asked for and no dialog can say it."""
    return _page(request, error.status, heading="This can't be shown", detail=str(error), remedy="")


def locked_out(request: HttpRequest, credentials: Any = None, *args: Any) -> HttpResponse:
    """After failed sign-ins. The same whether the name exists or not."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    response = _page(
        request,
        429,
        heading="Locked for a while",
        detail=f"There were too many failed sign-ins with this name from this place. It opens again in "
        f"{seconds // 60} minutes.",
        remedy="If it can't wait, or it was not you, tell an administrator: they can lift the lock and see "
        "who tried.",
    )
    response.headers["Retry-After"] = str(seconds)
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _page(
        request,
        403,
        heading="This page was open for too long",
        detail=reason,
        remedy="Go back, reload the page and press the button again. Nothing was changed.",
    )
