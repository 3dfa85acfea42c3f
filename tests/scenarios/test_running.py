"""The runner: what is stated must match wholly, what is not is not checked, and nothing remains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from o2c.errors import Conflict
from o2c.scenarios import language, runner
from o2c.scenarios.cast import Cast

DEAL = """
scenario: A plan from the middle of a month
catalogue:
  - {sku: PLAN, price: 100.00}
  - {sku: SETUP, kind: one_time, price: 50}
deal:
  from: 2025-02-08
  anchor: calendar
  lines:
    - sku: PLAN
    - sku: SETUP
happenings:
  - on: 2025-02-08
    bill:
"""


def problems(text: str) -> list[str]:
    with runner.rolled_back():
        return runner.run(language.parse(text, "deal.yaml"), Cast.hire(), "deal.yaml")


def expecting(text: str) -> list[str]:
    return problems(DEAL + "expect:\n" + text)


@pytest.mark.django_db
def test_what_is_stated_and_true_passes() -> None:
    assert not expecting("""
  invoices:
    - total: 125.00
      lines:
        - {sku: PLAN, net: 75}
        - {sku: SETUP, net: "50.00"}
  credits: []
  balance: {receivable: 125, net: 125}
""")


@pytest.mark.django_db
def test_a_surplus_line_fails() -> None:
    found = expecting("""
  invoices:
    - lines:
        - {sku: PLAN, net: 75.00}
""")
    assert len(found) == 1
    assert found[0].startswith(
        "deal.yaml:18: expect.invoices[1].lines[2]: expected nothing, got {sku: 'SETUP'"
    )


@pytest.mark.django_db
def test_a_missing_document_and_a_wrong_amount_fail_with_their_lines() -> None:
    found = expecting("""
  invoices:
    - lines:
        - {net: 75.01}
        - {net: 50}
    - {total: 3}
""")
    assert found == [
        "deal.yaml:19: expect.invoices[1].lines[1].net: expected 75.01, got 75.00",
        "deal.yaml:21: expect.invoices[2]: expected {total: 3.00}, got nothing",
    ]


@pytest.mark.django_db
def test_what_is_not_stated_is_not_checked() -> None:
    assert not expecting("  billed: 125")
    assert not problems(DEAL)


@pytest.mark.django_db
def test_a_check_looks_at_its_own_moment() -> None:
    text = DEAL + "  - on: 2025-02-08\n    check: {billed: 125}\n  - on: 2025-03-01\n    bill:\n"
    assert not problems(text + "expect: {billed: 225}")
    assert problems(text + "expect: {billed: 125}") == [
        "deal.yaml:19: expect.billed: expected 125.00, got 225.00"
    ]


@pytest.mark.django_db
def test_a_refusal_can_be_expected_and_stops_the_story_when_it_is_not() -> None:
    twice = DEAL + "  - on: 2025-02-09\n    void: 2\n"
    assert problems(twice) == ["deal.yaml:15: void was refused: There is no invoice 2: so far there are 1."]
    assert not problems(twice + "    refused: there is no invoice 2\n")
    assert problems(DEAL + "    refused: never\n") == ["deal.yaml:13: bill was not refused, expected 'never'"]


@pytest.mark.django_db
def test_nothing_remains_in_the_database(tmp_path: Path) -> None:
    def rows() -> dict[str, int]:
        return {model._meta.label: model._base_manager.count() for model in apps.get_models(True)}

    before = rows()
    path = tmp_path / "deal.yaml"
    path.write_text(DEAL + "expect: {billed: 125}\n")
    call_command("scenario", "run", path)
    assert rows() == before


@pytest.mark.django_db
def test_the_command_exits_with_one_and_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, broken = tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "c.yaml"
    good.write_text(DEAL)
    bad.write_text(DEAL + "expect: {billed: 1}\n")
    broken.write_text("scenario: [")
    with pytest.raises(SystemExit) as end:
        call_command("scenario", "run", tmp_path, "--json")
    told = json.loads(capsys.readouterr().out)
    assert end.value.code == 1
    assert (told["run"], told["failed"]) == (3, 2)
    assert [r["passed"] for r in told["results"]] == [True, False, False]
    assert told["results"][1]["problems"] == [f"{bad}:15: expect.billed: expected 1.00, got 125.00"]
    call_command("scenario", "run", good)
    assert "1 of 1 scenarios are as expected" in capsys.readouterr().out


@pytest.mark.django_db
def test_what_the_database_refuses_at_the_commit_is_a_refusal_and_no_crash() -> None:
    with pytest.raises(Conflict, match="one_a_day"), runner.settled(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE visits (day int, CONSTRAINT one_a_day UNIQUE (day) DEFERRABLE)")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("INSERT INTO visits VALUES (1), (1)")
