"""People who sign in to the console, and a client for each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client

from tests.factories.access import make_user


@pytest.fixture(autouse=True)
def _no_kept_figures() -> None:
    cache.clear()


@pytest.fixture
def signed_in(db: None) -> Callable[..., Client]:
    """signed_in("controller") → a client with a person of these roles signed in."""

    def sign_in(*roles: str, username: str = "") -> Client:
        name = username or "-".join(roles).replace("_", "-") or "nobody"
        client = Client()
        client.force_login(make_user(name, *roles), backend="o2c.access.backends.DutyBackend")
        return client

    return sign_in
