"""The self-test holds, says so truthfully, and goes red when a guard is gone.

`O2C_MUTANTS=all` takes every guard away, one at a time (some minutes); by default a sample of each kind.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from itertools import islice
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from o2c.actor import Actor, acting
from o2c.controls.approvals import registry
from o2c.controls.breakglass import services as breakglass
from o2c.controls.selftest import kernel, services, ways
from o2c.controls.selftest.attempts import judge
from o2c.controls.selftest.models import SelftestRun
from o2c.runtime import health
from tests import database
from tests.controls.selftest import mutants
from tests.factories.access import make_user

pytestmark = pytest.mark.django_db
SAMPLE = 6
DOORS = {
    "service", "shell", "SQL", "SQL as owner", "API", "console act", "console form", "task", "command",
    "import",
}  # fmt: skip
APPROVERS = {
    "maker", "delegate", "role holder", "former role holder", "staff superuser", "service account",
}  # fmt: skip
PRINCIPALS = {*APPROVERS, "last editor", "the product on their behalf"}
WHOLE = os.environ.get("O2C_MUTANTS") == "all"


def test_every_forbidden_act_is_refused_and_every_guard_is_noticed() -> None:
    """One world for all of it: making it takes seconds."""
    with acting(Actor.installer(), reason="test"):
        plan = services.plan()
        cells = [judge(attempt) for attempt in plan.attempts]
        assert [cell.sentence() for cell in cells if cell.wrong] == []
        doors = {cell.attempt.door for cell in cells}
        assert doors >= DOORS
        principals = {cell.attempt.principal for cell in cells}
        assert principals >= PRINCIPALS
        assert not [said for said in plan.untried if said.startswith("approval ")]
        for act in registry.acts():
            mine = [cell for cell in cells if cell.attempt.rule == f"approval {act.code}"]
            assert {cell.attempt.principal for cell in mine} >= APPROVERS, act.code
            assert {cell.attempt.door for cell in mine} >= {"service", "shell", "SQL", "console act", "task"}
        count = Counter(cell.outcome for cell in cells)
        assert count["refused"] > 20 * count["unproven"], count
        refused = {id(cell.attempt) for cell in cells if cell.outcome == "refused"}
        alive = [m for m in _mutants(plan.attempts, refused) if mutants.survives(m, plan.attempts, refused)]
        assert [m.name for m in alive] == []
        if WHOLE:
            quiet = [
                m.name
                for m in mutants.triggers()
                if mutants.survives(m, plan.attempts, refused, unlisted=True)
            ]
            print(
                f"{len(quiet)} guards are noticed by the list of what is installed alone:", *quiet, sep="\n  "
            )


def _mutants(attempts: Any, refused: set[int]) -> Iterator[mutants.Mutant]:
    kinds = (
        mutants.triggers(), mutants.constraints(), mutants.rules(attempts), mutants.duties(attempts, refused),
        mutants.gates(), mutants.clauses(),
    )  # fmt: skip
    for kind in map(list, kinds):
        step = 1 if WHOLE else max(1, len(kind) // SAMPLE)
        yield from islice(kind, None, None, step)


def test_without_a_guard_the_command_fails_and_the_health_page_says_so() -> None:
    call_command("controls", "selftest", "--rule", "S52", stdout=StringIO())
    assert SelftestRun.objects.get().holds
    with database.owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE sod_sodexception DISABLE TRIGGER o2c_sod_update")
    out = StringIO()
    with pytest.raises(CommandError, match="got through"):
        call_command("controls", "selftest", "--rule", "S52", "--json", stdout=out)
    kept = SelftestRun.objects.latest()
    assert not kept.holds
    assert kept.through == json.loads(out.getvalue())["through"] > 0
    assert any("their service account" in finding for finding in kept.findings)
    assert health.controls().well  # only a whole run speaks for the product
    with acting(Actor.installer(), reason="test"):
        SelftestRun.objects.create(
            started_at=kept.started_at, trigger="nightly", tried=1, through=1, blocked=0, unproven=0,
            seconds=1, matrix=[], findings=[], untried=[],
        )  # fmt: skip
    assert not health.controls().well


def test_what_nobody_declares_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = {f"{way}" for way in ways.existing()} - {"command vault key"}
    monkeypatch.setattr(ways, "idle", lambda: dict.fromkeys(declared, "declared"))
    assert ways.missing([]) == ["command vault key"]
    monkeypatch.setattr(ways, "idle", lambda: dict.fromkeys(ways.existing(), "declared") | {"task gone": "-"})
    assert ways.missing([]) == ["task gone"]
    assert all(reason.strip() for reason in kernel.IDLE.values())


def test_nothing_of_it_stays() -> None:
    """Emergency access without a review, over which no month is closed, does not keep it from running."""
    asked = breakglass.request(
        duties=["billing.delivery.retry"], hours=1, ticket="INC-1", reason="Nobody is there",
        actor=Actor.of(make_user("olivia", "order_entry")),
    )  # fmt: skip
    controller = Actor.of(make_user("carla", "controller"))
    breakglass.authorise(asked.pk, actor=controller, reason="It cannot wait")
    before = _rows()
    services.attempt_all(["S52"])
    assert _rows() == before


def _rows() -> dict[str, int]:
    return {
        model._meta.label: model._base_manager.count() for model in apps.get_models() if model._meta.managed
    }
