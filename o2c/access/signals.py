"""Django's own announcements that end in a row: sign-ins, and shipped roles after a migration."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.auth import signals as auth_signals
from django.db import connection
from django.http import HttpRequest

from o2c import clock
from o2c.access.client import SIGNED_IN_AT
from o2c.actor import Actor, acting


def connect() -> None:
    auth_signals.user_logged_in.connect(_signed_in, dispatch_uid="o2c.access.signed_in")
    auth_signals.user_logged_out.connect(_signed_out, dispatch_uid="o2c.access.signed_out")
    auth_signals.user_login_failed.connect(_refused, dispatch_uid="o2c.access.refused")


def after_migrate(sender: AppConfig, **kwargs: Any) -> None:
    """Roles and system accounts, once the last of our apps has its tables."""
    from o2c.access.registry import is_last
    from o2c.access.services import ensure_system_accounts, sync_roles

    if not is_last(sender) or "access_role" not in connection.introspection.table_names():
        return
    installer = Actor.installer()
    sync_roles(actor=installer)
    ensure_system_accounts(actor=installer)


def _signed_in(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    request.session[SIGNED_IN_AT] = clock.now().isoformat(timespec="seconds")
    _record("signed_in", request, user.get_username(), user)


def _signed_out(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    if user is not None:
        _record("signed_out", request, user.get_username(), user)


def _refused(
    sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    if request is not None:
        locked = bool(getattr(request, "axes_locked_out", False))
        _record("locked" if locked else "refused", request, str(credentials.get("username", "")), None)


def _record(outcome: str, request: HttpRequest, username: str, user: Any) -> None:
    from o2c.access.client import address
    from o2c.access.models import SignIn

    actor = Actor.of(user) if user is not None else Actor.anonymous()
    with acting(actor, reason="sign-in"):
        SignIn.objects.create(
            at=clock.now(),
            outcome=outcome,
            user=user,
            username=username[:150],
            address=address(request),
            user_agent=request.headers.get("User-Agent", "")[:300],
        )
