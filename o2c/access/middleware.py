"""The edge of every request: its id, and who is acting in it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from o2c.access.authorise import request_cache
from o2c.access.client import signed_in_request
from o2c.actor import Actor, ambient

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
REQUEST_ID = re.compile(r"^[A-Za-z0-9._\-]{8,64}$")
REASON_LIMIT = 500


class ActorMiddleware:
    """Gives the request an id and makes the signed-in person the actor of every transaction that begins
    in it.

    The id comes from `X-Request-ID` if the caller sent a plausible one, and goes back in the same
    header; history rows and log lines carry it. The reason comes from `X-Reason` or from the form field
    `reason`. API calls with a token are claimed later, by the API view that has checked the token.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if REQUEST_ID.match(given) else str(uuid.uuid4())
        request.request_id = request_id  # type: ignore[attr-defined]
        request.META["HTTP_X_REQUEST_ID"] = request_id
        cached = request_cache.set({})
        try:
            response = self._respond(request, request_id)
        finally:
            request_cache.reset(cached)
        response.headers["X-Request-ID"] = request_id
        return response

    def _respond(self, request: HttpRequest, request_id: str) -> HttpResponse:
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        known = signed_in_request.set(request)
        try:
            with ambient(Actor.of(user), reason=reason_of(request), request_id=request_id):
                return self.get_response(request)
        finally:
            signed_in_request.reset(known)


def reason_of(request: HttpRequest) -> str:
    """Why, in the caller's words: the header, else the form field. Empty when none was given."""
    given = request.headers.get("X-Reason", "")
    if not given and request.method not in SAFE_METHODS:
        given = request.POST.get("reason", "")
    return given.strip()[:REASON_LIMIT]
