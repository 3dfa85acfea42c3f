"""The matrix itself: complete, in the database as in code, and obeyed by what ships."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError

from o2c.access import registry
from o2c.access.roles import SHIPPED
from o2c.access.services.roles import duties_for
from o2c.actor import Actor, acting
from o2c.controls.sod import checks, declare, evidence, sync
from o2c.controls.sod.functions import FUNCTIONS, WAITING
from o2c.controls.sod.models import FunctionDuty, SodRule
from o2c.controls.sod.rules import RULES
from o2c.controls.sod.selectors import is_live, live_rules, waiting

pytestmark = pytest.mark.django_db


def test_there_are_fifty_two_rules_and_each_is_in_the_database() -> None:
    assert [rule.code for rule in RULES] == [f"S{n:02d}" for n in range(1, 53)]
    assert SodRule.objects.count() == 52
    assert sum("grant" in rule.kinds for rule in RULES) == 41
    assert SodRule.objects.get(code="S42").window_days == 7
    assert SodRule.objects.get(code="S49").window_days == 30
    for rule in RULES:
        assert rule.risk
        assert rule.mitigation
        assert {*rule.a, *rule.b} <= set(FUNCTIONS)


def test_a_rule_without_duties_yet_says_what_it_waits_for() -> None:
    s30 = next(rule for rule in RULES if rule.code == "S30")
    assert waiting(s30) == ("PAR.PLAN", "PAR.SETTLE")
    assert not is_live(s30)
    assert all(WAITING[code] for rule in RULES for code in waiting(rule))
    assert {
        "S01",
        "S05",
        "S10",
        "S12",
        "S17",
        "S18",
        "S22",
        "S24",
        "S34",
        "S36",
        "S43",
        "S44",
        "S45",
        "S49",
        "S52",
    } <= {rule.code for rule in live_rules()}


def test_a_second_synchronisation_writes_nothing(as_owner: Any) -> None:
    before = SodRule.history.count(), FunctionDuty.history.count()
    with as_owner():
        sync.sync(actor=Actor.installer())
    assert (SodRule.history.count(), FunctionDuty.history.count()) == before


@pytest.mark.parametrize("role", SHIPPED, ids=lambda role: role.code)
def test_a_shipped_role_obeys_the_rules(role: Any) -> None:
    broken = checks.conflicts_within(duties_for(role))
    if role.code == "automation":
        assert broken  # by design, under a mitigation of its own
    else:
        assert {rule for rule, _, _ in broken} <= ({"S01"} if role.code == "crm" else set())


def test_a_duty_in_no_function_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_matrix(None) == []
    monkeypatch.setitem(registry._duties, "orders.order.invent", "Invent an order")
    assert [error.id for error in checks.check_matrix(None)] == ["sod.E001"]


def test_a_shipped_role_with_both_halves_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        registry._role_duties, "deal_desk", {"orders.quote.draft", "orders.customer.maintain"}
    )
    assert ["S01" in error.msg for error in checks.check_roles(None)] == [True]


def test_a_duty_on_both_sides_of_a_rule_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    known = declare.declared()
    twice = {**known.functions, "ORD.APPROVE": known.functions["ORD.APPROVE"] | {"orders.order.draft"}}
    monkeypatch.setattr(
        checks,
        "declared",
        lambda: declare.Segregation(twice, known.neutral, known.lineage, known.acts, known.links),
    )
    assert "sod.E005" in [error.id for error in checks.check_matrix(None)]


def without(known: declare.Segregation, **changed: Any) -> declare.Segregation:
    return replace(known, **{name: getattr(known, name) | value for name, value in changed.items()})


@pytest.mark.parametrize("function", ["MD.TAX", "GL.PERIOD", "USG.ADJUST"])
def test_a_function_that_leaves_no_trace_fails_the_check(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = without(declare.declared(), acts={function: ()})
    monkeypatch.setattr(checks, "declared", lambda: silent)
    assert [(error.id, function in error.msg) for error in checks.check_matrix(None)] == [("sod.E007", True)]


def test_a_function_without_duty_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(WAITING, "OPS.DEPLOY")
    assert [(error.id, error.msg) for error in checks.check_matrix(None)] == [
        ("sod.E008", "'OPS.DEPLOY' has no duty, and nothing says why")
    ]


def test_a_rule_about_a_lineage_that_nothing_connects_fails_the_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apart = tuple(check for check in evidence.checks() if check.rule.code != "S34")
    monkeypatch.setattr(evidence, "checks", lambda: apart)
    found = checks.check_matrix(None)
    assert {error.id for error in found} == {"sod.E009"}
    assert [error.msg.split(":")[1] for error in found] == [
        f" nothing leads from GL.PERIOD to {code}"
        for code in ("BIL.POST", "BIL.CREDIT_APPROVE", "WO.APPROVE", "GL.JE_APPROVE")
    ]


def test_a_rule_is_never_deleted(as_owner: Any) -> None:
    with pytest.raises(DatabaseError, match="never deleted"), acting(Actor.installer()), as_owner():
        SodRule.objects.filter(code="S26")._raw_delete("default")


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("sod", "rules")
    printed = capsys.readouterr().out
    assert "S10 H transaction" in printed
    assert re.search(r"S30 M grant\+transaction +waits for PAR.PLAN \(no rebates", printed)
