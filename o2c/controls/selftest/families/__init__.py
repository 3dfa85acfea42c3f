"""What is tried: a family per kind of rule, each made of the declarations of the product."""

from __future__ import annotations

from collections.abc import Callable

from o2c.controls.selftest.attempts import Plan
from o2c.controls.selftest.families import decisions, duties, grants, inventory, lineage, tables, ways
from o2c.controls.selftest.world import World

# Family → how its rules begin.
FAMILIES: dict[Callable[[World], Plan], str] = {
    inventory.plan: "guards ",
    tables.plan: "table ",
    grants.plan: "S",
    lineage.plan: "S",
    duties.plan: "duty ",
    ways.plan: "",
    decisions.plan: "approval ",
}
