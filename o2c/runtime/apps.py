from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate, pre_migrate


def _with_cursor(using: str, act: str) -> None:
    from django.db import connections

    from o2c.runtime import roles

    with connections[using].cursor() as cursor:
        getattr(roles, act)(cursor)


def _grant(using: str, **_: Any) -> None:
    _with_cursor(using, "grant")


def _hide(using: str, **_: Any) -> None:
    _with_cursor(using, "hide")


class RuntimeConfig(AppConfig):
    name = "o2c.runtime"
    label = "runtime"
    verbose_name = "Runtime"

    def ready(self) -> None:
        # Before the first table, so that every table is granted to the roles as it is made. The signal has
        # only apps with models as senders; the first of ours is as early as any.
        first = apps.get_app_config("contenttypes")
        pre_migrate.connect(_grant, sender=first, dispatch_uid="o2c.runtime.grant")
        post_migrate.connect(_hide, sender=first, dispatch_uid="o2c.runtime.hide")
