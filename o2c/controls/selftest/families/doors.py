"""The pages and the API as somebody who signed in, and what they answer when they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.test import Client
from django.urls import reverse

from o2c.access.models import User
from o2c.errors import Conflict, NotAuthorised

MISSING = "duty_missing"


def host() -> str:
    named = [name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"]
    return named[0] if named else "localhost"


def browser(user: User) -> Client:
    found = Client(raise_request_exception=False, SERVER_NAME=host())
    found.force_login(user, backend="o2c.access.backends.DutyBackend")
    return found


def posting(
    visitor: Client,
    address: str,
    words: Iterable[str] = ("hold the duty",),
    data: Mapping[str, Any] | None = None,
    *,
    dialog: bool = True,
) -> Callable[[], object]:
    """Press the button. The page says no with 403, or shows the reason why not (`words`) instead of the
    form; in a `dialog`, as its page asks for it, without the frame round it.
    """
    asked = {"HX-Request": "true"} if dialog else {}

    def post() -> None:
        said_in = {"reason": "self-test", **(data or {})}
        answer = visitor.post(address, said_in, secure=settings.PRODUCTION, headers=asked)
        said = answer.content.decode(errors="replace")
        turned_away = _away(answer.headers.get("Location") or answer.headers.get("HX-Redirect") or "")
        refused = any(word in said for word in words)
        if turned_away or answer.status_code in (403, 404, 405) or refused:
            raise NotAuthorised(f"{answer.status_code} for {address}", code=MISSING)
        if answer.status_code not in (204, 302):
            raise Conflict(f"{answer.status_code} for {address}")

    return post


def _away(address: str) -> bool:
    """To the sign-in page, or home because there is no such record for this person."""
    return "login" in address or address == reverse("admin:index")


def sending(bearer: Client, method: str, address: str) -> Callable[[], object]:
    """A call of the API with an empty body."""

    def send() -> None:
        answer = bearer.generic(
            method, address, "{}", content_type="application/json", secure=settings.PRODUCTION,
            HTTP_IDEMPOTENCY_KEY="self-test",
        )  # fmt: skip
        code = answer.json().get("code", "") if "json" in answer.get("Content-Type", "") else ""
        if answer.status_code >= 400:
            raise NotAuthorised(f"{answer.status_code} {code} for {method} {address}", code=code)

    return send
