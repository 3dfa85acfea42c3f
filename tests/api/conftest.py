from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from tests.factories.access import make_account, make_token


class Caller(APIClient):
    """A test client that sends a token and, with every POST, a fresh idempotency key unless given one."""

    keys = itertools.count(1)

    def __init__(self, secret: str = "", **headers: str) -> None:
        super().__init__(raise_request_exception=False)
        if secret:
            self.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")

    def post(  # type: ignore[override]
        self, path: str, data: Any = None, *, key: str | None = None, **extra: Any
    ) -> Any:
        if key is None:
            key = f"key-{next(self.keys)}"
        headers = {**extra.pop("headers", {}), **({"Idempotency-Key": key} if key else {})}
        return super().post(path, data, headers=headers, **extra)


@pytest.fixture(autouse=True)
def _no_counts_of_other_tests() -> None:
    cache.clear()


@pytest.fixture
def caller(db: None) -> Caller:
    """A service account with every duty of an administrator."""
    account = make_account("robot", "admin")
    return Caller(make_token(account, ["access.read", "access.role.maintain"]))
