"""Keeps the tables of the matrix equal to the code, after every migrate. A second run changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import AppConfig
from django.db import connection, models

from o2c.access.registry import is_last
from o2c.actor import Actor, acting
from o2c.controls.sod.declare import declared
from o2c.controls.sod.functions import FUNCTIONS
from o2c.controls.sod.models import FunctionDuty, MachineMitigation, SodRule, SodSide
from o2c.controls.sod.rules import MACHINES, RULES, VERSION, Rule


def after_migrate(sender: AppConfig, **kwargs: Any) -> None:
    """Once the last of our apps has its tables and triggers, so that the rules have their history."""
    if is_last(sender) and "sod_sodrule" in connection.introspection.table_names():
        sync(actor=Actor.installer())


def title(rule: Rule) -> str:
    """'Maintain customer master against Enter quotes, orders and amendments'."""
    if len(rule.b) > 5:
        return f"{_names(rule.a)} against any financial duty"
    return f"{_names(rule.a)} against {_names(rule.b)}"


def _names(codes: tuple[str, ...]) -> str:
    return " or ".join(FUNCTIONS[code] for code in codes)


def sync(*, actor: Actor, reason: str = f"segregation matrix {VERSION}") -> None:
    """Write what differs. A rule keeps its row; history tells when it changed."""
    with acting(actor, reason=reason):
        held = {row.code: row for row in SodRule.objects.select_for_update().order_by("pk")}
        for rule in RULES:
            columns = {
                "title": title(rule),
                "risk": rule.risk,
                "severity": rule.severity,
                "at_grant": "grant" in rule.kinds,
                "at_transaction": "transaction" in rule.kinds,
                "window_days": rule.window_days,
                "mitigation": rule.mitigation,
                "version": VERSION,
            }
            row = held.get(rule.code) or SodRule(code=rule.code)
            if row.pk is None or any(getattr(row, name) != value for name, value in columns.items()):
                for name, value in columns.items():
                    setattr(row, name, value)
                row.save()
            held[rule.code] = row
        sides = {
            (held[rule.code].pk, side, code): FUNCTIONS[code]
            for rule in RULES
            for side, codes in (("a", rule.a), ("b", rule.b))
            for code in codes
        }
        _equal(SodSide, ("rule_id", "side", "function"), sides, "name")
        duties = {(code, duty): None for code, listed in declared().functions.items() for duty in listed}
        _equal(FunctionDuty, ("function", "duty"), duties)
        machines = {(role, rule): text for role, rules in MACHINES.items() for rule, text in rules.items()}
        _equal(MachineMitigation, ("role", "rule"), machines, "mitigation")


def _equal(
    model: type[models.Model], key: tuple[str, ...], wanted: Mapping[Any, str | None], value: str = ""
) -> None:
    """Make the rows of a small table those of `wanted`: key → what the column `value` holds."""
    manager = model._default_manager
    rows = {tuple(getattr(row, name) for name in key): row for row in manager.all()}
    stale = [
        row.pk
        for held, row in rows.items()
        if held not in wanted or (value and getattr(row, value) != wanted[held])
    ]
    manager.filter(pk__in=stale).delete()
    kept = {held for held, row in rows.items() if row.pk not in set(stale)}
    new = sorted((k for k in wanted if k not in kept), key=str)
    manager.bulk_create(
        model(**dict(zip(key, found, strict=True)), **({value: wanted[found]} if value else {}))
        for found in new
    )
