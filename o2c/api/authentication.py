"""Bearer tokens of service accounts."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from o2c.access.client import address
from o2c.access.models import AuthToken, User
from o2c.access.services import tokens

FAILURES_PER_MINUTE = 30


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer o2c_<prefix>_<secret>`. Sets `request.auth` to the token."""

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[User, AuthToken] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != self.keyword.lower():
            return None
        where = address(request._request)
        token = tokens.find(secret.strip())
        if token is None:
            self._count_failure(where)
            raise AuthenticationFailed("The token is unknown, revoked or past its end.")
        tokens.note_use(token, where)
        return token.account, token

    def authenticate_header(self, request: Request) -> str:
        return f'{self.keyword} realm="o2c"'

    def _count_failure(self, where: str | None) -> None:
        key = f"o2c.api.failed.{where}"
        if cache.add(key, 1, timeout=60):
            return
        if cache.incr(key) > FAILURES_PER_MINUTE:
            raise Throttled(wait=60)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "o2c.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of a service account: `manage.py tokens issue`.",
        }
