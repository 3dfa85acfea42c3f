"""Running the self-test: build a world, try everything in it, undo it all, keep what was found."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from o2c import clock
from o2c.access import require
from o2c.actor import Actor, acting
from o2c.controls.selftest import world as worlds
from o2c.controls.selftest.attempts import Attempt, Cell, Plan, judge, settle
from o2c.controls.selftest.families import FAMILIES
from o2c.controls.selftest.models import SelftestRun
from o2c.runtime.logs import silence
from o2c.runtime.signals_of_life import beat

DUTY = "selftest.run.start"
HEARTBEAT = "controls.selftest"


class _Undone(Exception):
    """Takes back the world."""


@dataclass(frozen=True)
class Result:
    """What came of every attempt, and what could not be tried."""

    cells: tuple[Cell, ...]
    untried: tuple[str, ...]

    @property
    def wrong(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.wrong]

    @property
    def unproven(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.outcome == "unproven"]


def plan(rules: Sequence[str] = ()) -> Plan:
    """What is tried for these rules, or for all, on a world made in the open transaction."""
    made = Plan()
    world = worlds.make()
    settle()  # once: what waits for the commit would be asked anew at the end of every attempt
    for family, begins in FAMILIES.items():
        if not rules or any(rule.startswith(begins) or begins.startswith(rule) for rule in rules):
            part = family(world)
            made.attempts += chosen(part.attempts, rules)
            made.untried += [said for said in part.untried if not rules or said.startswith(tuple(rules))]
    settle()
    return made


def chosen(attempts: Sequence[Attempt], rules: Sequence[str]) -> list[Attempt]:
    """The attempts of these rules, or of those that begin so; all for none named."""
    return [a for a in attempts if not rules or any(a.rule.startswith(rule) for rule in rules)]


def attempt_all(rules: Sequence[str] = ()) -> Result:
    """Try everything and undo it. Writes nothing that stays.

    Nobody is let in by it: accounts, sessions and tokens that it makes are never committed. The checks that
    wait for a commit are asked at the end of each attempt.
    """
    result = Result((), ())
    try:
        with silence(), transaction.atomic():
            made = plan(rules)
            result = Result(tuple(judge(attempt) for attempt in made.attempts), tuple(made.untried))
            raise _Undone
    except _Undone:
        pass
    return result


def run(*, actor: Actor, reason: str = "", rules: Sequence[str] = (), trigger: str = "person") -> SelftestRun:
    """Try everything, or what these rules forbid, and keep the result.

    Raises NotAuthorised without the duty.
    """
    require(actor, DUTY)
    started_at = clock.now()
    begin = time.monotonic()
    with acting(Actor.installer(), reason="self-test"):
        result = attempt_all(rules)
    seconds = Decimal(f"{time.monotonic() - begin:.3f}")
    with acting(actor, reason=reason):
        kept = keep(result, started_at, seconds, rules, trigger)
    beat(HEARTBEAT, holds=kept.holds, through=kept.through, run=kept.pk)
    return kept


def keep(
    result: Result, started_at: datetime, seconds: Decimal, rules: Sequence[str], trigger: str
) -> SelftestRun:
    forbidden = [cell for cell in result.cells if not cell.attempt.permitted]
    count = Counter(cell.outcome for cell in result.cells)
    return SelftestRun.objects.create(
        started_at=started_at,
        trigger=trigger,
        only=" ".join(rules)[:200],
        tried=len(forbidden),
        through=count["through"],
        blocked=count["blocked"],
        unproven=count["unproven"],
        seconds=seconds,
        matrix=matrix(result.cells),
        findings=[cell.sentence() for cell in result.wrong],
        untried=list(result.untried),
    )


def matrix(cells: Sequence[Cell]) -> list[list[Any]]:
    """[rule, door, principal, tried, through, unproven] for every combination that was tried."""
    groups: dict[tuple[str, str, str], Counter[str]] = {}
    for cell in cells:
        a = cell.attempt
        if not a.permitted:
            groups.setdefault((a.rule, a.door, a.principal), Counter())[cell.outcome] += 1
    return [
        [*key, sum(count.values()), count["through"], count["unproven"]]
        for key, count in sorted(groups.items())
    ]
