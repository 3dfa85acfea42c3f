"""How many calls a principal may make in a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from o2c import clock

if TYPE_CHECKING:
    from rest_framework.views import APIView

WINDOW = 60


class PerPrincipal(BaseThrottle):
    """`settings.API_CALLS_PER_MINUTE` per token (per person for a session), in fixed minutes.

    A view may have `calls_per_minute` of its own. Counted in the cache: with a cache per process the
    limit is per process, with a shared one (Redis) it is exact.
    """

    def allow_request(self, request: Request, view: APIView) -> bool:
        own = getattr(view, "calls_per_minute", None)
        limit: int = own or settings.API_CALLS_PER_MINUTE
        who = f"t{request.auth.pk}" if request.auth is not None else f"u{request.user.pk}"
        minute = int(clock.now().timestamp()) // WINDOW
        key = f"o2c.api.calls.{who}.{view.__class__.__name__ if own else ''}.{minute}"
        if cache.add(key, 1, timeout=WINDOW * 2):
            return True
        return int(cache.incr(key)) <= limit

    def wait(self) -> float:
        return WINDOW - clock.now().timestamp() % WINDOW
