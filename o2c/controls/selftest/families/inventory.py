"""Every guard that the product declares is installed, and fires in replica mode too.

Notices a guard that is gone where nothing else can be tried that only it would refuse: the writers of
history, for one. The triggers against emptying a table are left out: the product's role has no right to, and
whoever has owns the table.
"""

from __future__ import annotations

from collections.abc import Callable

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
    return made
