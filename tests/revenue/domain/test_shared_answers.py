"""The published cases that the schedules cover, read from where O2C_SHARED_DATA points, if it is set."""

import json
import os
from datetime import date, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from o2c.periods import Period
from revenue.domain.allocation import relative
from revenue.domain.schedules import ratable

HOME = os.environ.get("O2C_SHARED_DATA", "")


def cases(*categories: str) -> list[Any]:
    path = Path(HOME) / "known_answers" / "revenue.json"
    if not HOME or not path.exists():
        return []
    return [pytest.param(c, id=c["id"]) for c in json.loads(path.read_text()) if c["category"] in categories]


def monthly(expected: dict[str, Any]) -> dict[str, D] | None:
    """The expected months when the case states them as '2026-01' -> amount."""
    found = expected.get("revenue")
    if not isinstance(found, dict) or not all(len(k) == 7 and k[4] == "-" for k in found):
        return None
    return {month: D(amount) for month, amount in found.items()}


@pytest.mark.parametrize("case", cases("proration_daily", "rounding"))
def test_daily_schedules(case):
    inputs, months = case["inputs"], monthly(case["expected"])
    if months is None or "amount" not in inputs or "start" not in inputs:
        pytest.skip("states no months, or no dates")
    start, last = date.fromisoformat(inputs["start"]), date.fromisoformat(inputs["end"])

    plan = ratable(D(inputs["amount"]), Period(start, last + timedelta(days=1)), "USD")

    assert {f"{s.month:%Y-%m}": s.amount for s in plan} == months


@pytest.mark.parametrize("case", cases("material_right", "variable_consideration_allocation"))
def test_relative_allocations(case):
    inputs, expected = case["inputs"], case["expected"].get("allocation")
    obligations = inputs.get("obligations", [])
    if not expected or not obligations or "transaction_price" not in inputs:
        pytest.skip("states no plain relative allocation")
    ssps = {o["name"]: D(o["ssp"]) for o in obligations}

    shares = relative(D(inputs["transaction_price"]), ssps, "USD")

    assert shares == {name: D(amount) for name, amount in expected.items()}
