"""Below /api/ no answer is HTML: what Django refuses before or beside a view becomes problem+json too."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from o2c.api.problems import INTERNAL, MEDIA_TYPE, Problem

PREFIX = "/api/"

PLAIN = {
    400: Problem(400, "bad_request", "The request can't be read."),
    403: Problem(403, "not_authorised", "You may not do this."),
    404: Problem(404, "not_found", "There is nothing at this address."),
    405: Problem(405, "method_not_allowed", "This address doesn't know the method."),
    413: Problem(413, "too_large", "The request is larger than this call takes."),
}


class ProblemMiddleware:
    """Replaces the body of an error under /api/ that has no problem document yet."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.path.startswith(PREFIX) or response.status_code < 400:
            return response
        if response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
            return response
        problem = PLAIN.get(response.status_code, INTERNAL)
        body = problem.as_json(str(getattr(request, "request_id", "")), request.path)
        body["status"] = response.status_code
        response.content = json.dumps(body).encode()
        response.headers["Content-Type"] = MEDIA_TYPE
        response.headers["Content-Length"] = str(len(response.content))
        return response
