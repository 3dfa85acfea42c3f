"""DRF's exception handler: everything becomes problem+json."""

from __future__ import annotations

from typing import Any

import structlog
from rest_framework.response import Response

from o2c.api.problems import INTERNAL, MEDIA_TYPE, Problem, problem_of

log = structlog.get_logger(__name__)


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """The answer to `error`. A bug is logged with its trace and told to nobody."""
    problem = problem_of(error)
    request = context["request"]
    if problem is INTERNAL:
        log.exception("api.internal_error", path=request.path, method=request.method, exc_info=error)
    response = as_response(problem, request._request)
    header = getattr(error, "auth_header", None)  # set by DRF on whatever means 401
    if header:
        response["WWW-Authenticate"] = header
    return response


def as_response(problem: Problem, request: Any) -> Response:
    body = problem.as_json(str(getattr(request, "request_id", "")), request.path)
    response = Response(body, status=problem.status, content_type=MEDIA_TYPE)
    if problem.retry_after_s is not None:
        response["Retry-After"] = str(problem.retry_after_s)
    return response
