from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import pre_migrate


def _grant(using: str, **_: Any) -> None:
    from django.db import connections

    from o2c.runtime import roles

    with connections[using].cursor() as cursor:
        roles.grant(cursor)


class RuntimeConfig(AppConfig):
    name = "o2c.runtime"
    label = "runtime"
    verbose_name = "Runtime"

    def ready(self) -> None:
        # Before the first table, so that every table is granted to the roles as it is made.
        pre_migrate.connect(_grant, sender=self, dispatch_uid="o2c.runtime.grant")
