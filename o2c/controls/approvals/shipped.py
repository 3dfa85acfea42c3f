"""Policies that come with the product: put in force where an act has none yet, never over a company's own."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connection

from o2c import clock
from o2c.actor import Actor, acting


def after_migrate(sender: AppConfig, **kwargs: Any) -> None:
    """post_migrate of the last app: every act has a first version of its policy in force."""
    from o2c.access.registry import is_last

    if is_last(sender) and "approvals_policy" in connection.introspection.table_names():
        sync()


def sync() -> int:
    """Put the shipped policy of every act without any in force; returns how many were new."""
    from o2c.controls.approvals import registry
    from o2c.controls.approvals.models import Policy

    known = set(Policy.objects.values_list("act", flat=True))
    missing = [act.code for act in registry.acts() if act.code not in known]
    if missing:
        with acting(Actor.installer(), reason="policies that ship with the product"):
            Policy.objects.bulk_create(
                Policy(
                    act=code,
                    version=1,
                    title=registry.shipped_policies()[code]["title"],
                    content=registry.shipped_policies()[code],
                    state=Policy.State.ACTIVE,
                    shipped=True,
                    activated_at=clock.now(),
                    note="Ships with the product",
                )
                for code in missing
            )
    return len(missing)
