"""Settings of the first step of a test template: migrations run, and nothing is done after them."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_migrate

from o2c.settings import *  # noqa: F403


def _nothing_after(*args: Any, **kwargs: Any) -> list[Any]:
    return []


post_migrate.send = _nothing_after  # type: ignore[method-assign]
