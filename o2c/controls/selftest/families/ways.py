"""Work that is asked for from outside the pages: tasks, commands and files to import, by people who may not.

The inventory is tried as well: a task, command or importer that no app has declared gets through.
"""

from __future__ import annotations

from o2c.access import has_duty
from o2c.access.models import User
from o2c.controls.selftest import ways
from o2c.controls.selftest.attempts import Attempt, Plan, Refusal, by_code
from o2c.controls.selftest.families.deciding import former_holder
from o2c.controls.selftest.families.doors import MISSING
from o2c.controls.selftest.ways import Way
from o2c.controls.selftest.world import World
from o2c.errors import Conflict


def _lacking(duty: str) -> Refusal:
    missing = by_code(MISSING)
    return lambda error: missing(error) and duty in str(error)


def _tried(way: Way, who: str, person: User) -> Attempt:
    return Attempt(
        f"duty {way.duty}", way.name, way.door, who, lambda: way.ask(person), _lacking(way.duty),
        duty=way.duty,
    )  # fmt: skip


def _inventory(world: World) -> Attempt:
    def look() -> None:
        left = ways.missing(world.ways)
        if not left:
            raise Conflict("All are tried, or declared with the reason why not", code="in_place")

    return Attempt(
        "duty (inventory)", "a task, command or importer that nobody has declared", "inventory", "anybody",
        look, by_code("in_place"),
    )  # fmt: skip


def plan(world: World) -> Plan:
    made = Plan([_inventory(world), *world.more])
    plain = world.user("", 4)
    people = {
        "nobody's role": plain,
        "staff superuser": world.user("", 4, superuser=True),
        "service account": world.account_of(plain),
        "auditor": world.user("auditor", 1),
    }
    for way in world.ways:
        for who, person in people.items():
            if not has_duty(person, way.duty):
                made.attempts.append(_tried(way, who, person))
        made.attempts.append(_tried(way, "former role holder", former_holder(world, way.duty)))
    return made
