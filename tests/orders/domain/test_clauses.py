"""The shape of commitments, thresholds and the terms of grants: everything wrong is said by its place."""

from __future__ import annotations

import pytest

from orders.domain.clauses import commitment_problems, grant_problems, threshold_problems
from orders.domain.price_spec import examine


def test_what_is_right_has_no_problem() -> None:
    assert commitment_problems([{"amount": "10000.00", "per": "quarter", "skus": ["API"]}]) == []
    assert threshold_problems(["200.00", "500.00"]) == []
    terms = {
        "priority": "5",
        "expires_after_months": "12",
        "rollover_percent": "50",
        "rollover_months": "3",
        "scope": {"skus": ["API"], "dimensions": {"model": ["a"]}},
    }
    assert grant_problems(terms) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"per": "month"}, "amount must be"),
        ({"amount": 100, "per": "month"}, "amount must be"),
        ({"amount": "0", "per": "month"}, "above zero"),
        ({"amount": "10", "per": "decade"}, "per must be one of"),
        ({"amount": "10", "per": "term", "overage_factor": "0.5"}, 'at least "1"'),
        ({"amount": "10", "per": "term", "minimum": "1"}, "minimum is not known"),
        ({"amount": "10", "per": "term", "skus": "API"}, "list of SKU codes"),
    ],
)
def test_a_commitment_that_is_wrong(wrong: dict[str, object], said: str) -> None:
    (problem,) = commitment_problems([wrong])

    assert problem.startswith("[0] ")
    assert said in problem


def test_thresholds_ascend() -> None:
    assert threshold_problems(["500.00", "200.00"]) == ["must ascend"]
    assert threshold_problems(["200.00", "200.00"]) == ["must ascend"]
    assert "above zero" in threshold_problems(["0"])[0]


def test_the_terms_of_a_grant_are_checked_with_the_price() -> None:
    spec = {
        "model": "prepaid",
        "amount": "9000.00",
        "credit": "10000.00",
        "grant": {"rollover_percent": "150"},
    }

    found = examine(spec, kind="prepaid").by_path

    assert found["grant.rollover_percent"] == ["is above 100"]
    assert "carried over" in found["grant.rollover_months"][0]
