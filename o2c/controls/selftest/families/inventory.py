"""Every guard that the product declares is installed, and fires in replica mode too; so is every constraint.

Notices a guard that is gone where nothing else can be tried that only it would refuse: the writers of
history, for one. The triggers against emptying a table are left out: the product's role has no right to, and
whoever has owns the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.apps import apps
from django.db import connection

from o2c.access.registry import is_ours
from o2c.audit.install import existing_triggers, expected_triggers
from o2c.controls.selftest.attempts import Attempt, Plan, by_code
from o2c.controls.selftest.world import World
from o2c.errors import Conflict

ALWAYS = "A"


def _missing(table: str, names: frozenset[str]) -> Callable[[], object]:
    def work_without() -> None:
        found = existing_triggers()
        if all(found.get((table, name)) == ALWAYS for name in names):
            raise Conflict(f"All {len(names)} guards of {table} are in place", code="in_place")

    return work_without


CONSTRAINTS = """
SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND convalidated
UNION SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
WHERE x.indrelid = %s::regclass AND x.indisvalid
"""


def _unheld(table: str, names: frozenset[str]) -> Callable[[], object]:
    def work_without() -> None:
        with connection.cursor() as cursor:
            cursor.execute(CONSTRAINTS, [table, table])
            found = {name for (name,) in cursor.fetchall()}
        if names <= found:
            raise Conflict(f"All {len(names)} constraints of {table} are in place", code="in_place")

    return work_without


def _constraints() -> Iterator[Attempt]:
    """What the models say of a table: who is not who, what is there once."""
    for model in apps.get_models(include_auto_created=True):
        names = frozenset(constraint.name for constraint in model._meta.constraints)
        config = apps.get_app_config(model._meta.app_label)
        if names and model._meta.managed and not model._meta.proxy and is_ours(config):
            table = model._meta.db_table
            yield Attempt(
                f"guards {table}", "a constraint is missing", "inventory", "anybody",
                _unheld(table, names), by_code("in_place"), table=table,
            )  # fmt: skip


def plan(world: World) -> Plan:
    made = Plan()
    tables: dict[str, set[str]] = {}
    for table, name in sorted(expected_triggers()):
        if not name.endswith("_no_truncate"):
            tables.setdefault(table, set()).add(name)
    for table, names in tables.items():
        made.attempts.append(
            Attempt(
                f"guards {table}",
                "a guard is missing or switched off",
                "inventory",
                "anybody",
                _missing(table, frozenset(names)),
                by_code("in_place"),
                table=table,
            )
        )
    made.attempts += _constraints()
    return made
