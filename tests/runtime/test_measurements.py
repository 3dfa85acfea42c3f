"""`make bench` lays its rows out by SQL: a new column must not break it unnoticed. Small sizes, no timing."""

from __future__ import annotations

import pytest

from bench import bill_run, charges, long_contract, recalculation

pytestmark = pytest.mark.django_db


def test_posting_a_run_is_measured_with_a_fixed_number_of_statements() -> None:
    _, _, rows, statements = bill_run.measure(10, 2)
    assert rows["billing_invoice"] == 10
    assert rows["billing_charge"] == 20
    assert rows["ledger_journal"] == 10
    assert statements < 100


def test_the_second_calculator_is_measured() -> None:
    calculated, again = recalculation.measure(10, 2)
    assert calculated.count == again.count == 10


def test_a_long_contract_is_measured() -> None:
    _, _, rows = long_contract.measure(12)
    assert rows > 480


def test_the_charge_calculation_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    charges.main(["2"])
    assert "lines a second" in capsys.readouterr().out
