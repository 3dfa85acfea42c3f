"""What is previewed is what is billed and recognised later."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command

from o2c.errors import InvalidInput
from o2c.scenarios import preview, runner
from o2c.scenarios import stage as staging
from o2c.scenarios.acts import Bill, Happening, Months
from o2c.scenarios.cast import Cast
from o2c.scenarios.happenings import documents, perform
from o2c.scenarios.language import parse
from o2c.scenarios.observed import revenue

DEAL = """
scenario: Platform, seats, tokens
catalogue:
  - {sku: PLATFORM, price: {model: flat, amount: 1200}, per: year}
  - {sku: SEATS, price: 40}
  - {sku: TOKENS, kind: usage, price: 0.001}
deal:
  from: 2026-01-15
  months: 3
  lines:
    - {sku: PLATFORM, frequency: year, until: 2026-04-15}
    - {sku: SEATS, quantity: 5}
    - {sku: TOKENS, usage_per_month: 100000}
happenings:
  - on: 2026-03-01
    change_quantity: {line: SEATS, by: 5}
"""


@pytest.mark.django_db
def test_months_of_a_deal() -> None:
    """1,200 x 90/365 once; 200 a month; five seats more from 1 March, 14 of 28 days and then a whole month;
    100 of usage on 15 January, 1 February (one period), 1 March and 1 April, at the end of their periods."""
    shown = preview.preview(parse(DEAL))
    assert [(m.month, m.billed) for m in shown.months] == [
        ("2026-01", Decimal("495.89")),
        ("2026-02", Decimal("400.00")),
        ("2026-03", Decimal("600.00")),
        ("2026-04", Decimal("100.00")),
    ]
    assert shown.billed == shown.recognised == Decimal("1595.89")
    assert shown.months[-1].deferred == 0
    assert {line.sku: line.billed for line in shown.lines} == {
        "PLATFORM": Decimal("295.89"),
        "SEATS": Decimal("900.00"),
        "TOKENS": Decimal("400.00"),
    }


@pytest.mark.django_db
def test_it_equals_what_is_billed_day_by_day_and_recognised_month_by_month_later() -> None:
    text = DEAL.replace("usage_per_month: 100000", "usage_per_month: 0")
    shown = preview.preview(parse(text))
    scenario = parse(text)
    with runner.rolled_back():
        cast = Cast.hire()
        with runner.staged(cast):
            stage = staging.build(scenario, cast)
            runner.deliver()
            for on in ("2026-01-15", "2026-02-15", "2026-03-01", "2026-03-15"):
                day = dt.date.fromisoformat(on)
                if on == "2026-03-01":
                    perform(stage, scenario.happenings[0])
                perform(stage, Happening(on=day, bill=Bill()))
                runner.deliver()
            for month in ("2026-01", "2026-02", "2026-03", "2026-04"):
                perform(stage, Happening(on=day, recognise=Months(month=month)))
            billed: dict[str, Decimal] = defaultdict(Decimal)
            for row in [*documents(stage), *documents(stage, credit=True)]:
                billed[f"{row.issue_date:%Y-%m}"] += row.net
            recognised = revenue(stage)
    assert {m.month: m.billed for m in shown.months if m.billed} == dict(billed)
    assert {m.month: m.recognised for m in shown.months} == recognised


@pytest.mark.django_db
def test_a_deal_without_end_shows_a_year_or_what_is_asked_for() -> None:
    text = DEAL.replace("  months: 3\n", "").replace(", until: 2026-04-15", "")
    assert len(preview.preview(parse(text), months=2).months) == 2
    with pytest.raises(InvalidInput, match="1 to 84 months"):
        preview.preview(parse(text), months=85)
    with pytest.raises(InvalidInput, match="The term ends on 2036-01-15"):
        preview.preview(parse(DEAL.replace("months: 3", "months: 120").replace(", until: 2026-04-15", "")))


@pytest.mark.django_db
def test_nothing_of_it_remains_and_the_command_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deal.yaml"
    path.write_text(DEAL)
    before = {model: model._base_manager.count() for model in apps.get_models(True)}
    call_command("scenario", "preview", path)
    assert "1,595.89" in capsys.readouterr().out
    call_command("scenario", "preview", path, "--months=1", "--json")
    assert json.loads(capsys.readouterr().out)["months"] == [
        {"month": "2026-01", "billed": "495.890", "recognised": "269.220", "deferred": "226.670"}
    ]
    assert before == {model: model._base_manager.count() for model in apps.get_models(True)}
