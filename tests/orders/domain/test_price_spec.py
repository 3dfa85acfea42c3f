"""What a price may look like, and what is said about one that may not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from o2c.errors import InvalidInput
from orders.domain import price_spec

PER_UNIT = {"model": "per_unit", "unit_amount": "0.0000025"}
FLAT = {"model": "flat", "amount": "5"}
TIERED = {"model": "graduated", "tiers": [{"up_to": None, "unit_amount": "1"}]}

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("recurring", {"model": "flat", "amount": "500.00"}),
    ("usage", PER_UNIT),
    (
        "usage",
        {
            "model": "graduated",
            "tiers": [
                {"up_to": "1000", "unit_amount": "0.10", "flat_amount": "0"},
                {"from": "1000", "up_to": None, "unit_amount": "0.05"},
            ],
        },
    ),
    (
        "usage",
        {
            "model": "volume",
            "over_term": True,
            "tiers": [{"up_to": "10", "unit_amount": "5"}, {"up_to": None, "unit_amount": "4"}],
        },
    ),
    ("usage", {"model": "package", "size": "100", "amount": "2.95", "free_units": "0"}),
    (
        "usage",
        {"model": "percentage", "percent": "2.9", "fixed_amount": "0.30", "floor": "1", "ceiling": "50"},
    ),
    (
        "usage",
        {
            "model": "matrix",
            "dimensions": ["model", "token_kind"],
            "cells": [
                {"match": {"model": "gpt-4o", "token_kind": "input"}, "price": PER_UNIT},
                {"match": {"model": "gpt-4o"}, "price": {"model": "per_unit", "unit_amount": "0.00001"}},
            ],
            "default": PER_UNIT,
        },
    ),
    (
        "recurring",
        {
            "model": "ramp",
            "steps": [
                {"from_month": "0", "price": {"model": "flat", "amount": "100"}},
                {"from_month": "12", "price": {"model": "flat", "amount": "200"}},
            ],
        },
    ),
    ("usage", {"model": "minimum", "amount": "1000", "price": PER_UNIT}),
    (
        "usage",
        {"model": "cap", "amount": "5000", "price": {"model": "minimum", "amount": "9", "price": PER_UNIT}},
    ),
    ("usage", {"model": "overage", "included": "1000000", "price": PER_UNIT}),
    ("usage", {"model": "multiple", "factor": "0.5", "price": PER_UNIT}),
    ("one_time", {"model": "one_time", "amount": "2500.00"}),
    ("prepaid", {"model": "prepaid", "amount": "9000.00", "credit": "10000.00"}),
    ("usage", {"model": "of", "sku": "ONLINE", "factor": "0.5"}),
]


@pytest.mark.parametrize(("kind", "spec"), GOOD, ids=[spec["model"] for _, spec in GOOD])
def test_every_model_has_a_valid_form(kind: str, spec: dict[str, Any]) -> None:
    assert price_spec.problems(spec, kind=kind) == []


BAD: list[tuple[Any, str]] = [
    (None, 'a price must be an object with a "model", and is NoneType'),
    ("flat", 'a price must be an object with a "model", and is str'),
    ({"amount": "5"}, "model: None is not a price model"),
    ({"model": "flat"}, "amount: is missing"),
    ({"model": "flat", "amount": 5.0}, 'amount: must be a decimal string such as "0.10", and is float'),
    ({"model": "flat", "amount": 5}, 'amount: must be a decimal string such as "0.10", and is int'),
    ({"model": "flat", "amount": True}, "and is bool"),
    ({"model": "flat", "amount": "-5"}, "amount: '-5' is not a decimal of at most 16 digits and 12 decimals"),
    ({"model": "flat", "amount": "1e3"}, "amount: '1e3' is not a decimal"),
    ({"model": "flat", "amount": "NaN"}, "amount: 'NaN' is not a decimal"),
    ({"model": "flat", "amount": "0.1234567890123"}, "12 decimals"),
    ({"model": "flat", "amount": " 5"}, "' 5' is not a decimal"),
    ({"model": "flat", "amount": "5", "currency": "USD"}, "currency: is not known here"),
    ({"model": "graduated", "tiers": []}, "tiers: must be a list with at least one entry"),
    (
        {"model": "graduated", "tiers": [{"up_to": "10", "unit_amount": "1"}]},
        "tiers[0].up_to: the last tier must be without end (null), or the price stops there",
    ),
    (
        {
            "model": "volume",
            "tiers": [
                {"up_to": "1000", "unit_amount": "1"},
                {"up_to": "500", "unit_amount": "2"},
                {"up_to": None, "unit_amount": "3"},
            ],
        },
        "tiers[1].up_to: 500 is not above 1000, where the tier before ends: tiers must ascend",
    ),
    (
        {
            "model": "graduated",
            "tiers": [
                {"up_to": "1000", "unit_amount": "1"},
                {"from": "1500", "up_to": None, "unit_amount": "2"},
            ],
        },
        "tiers[1].from: 1500 leaves a gap after the tier before, which ends at 1000",
    ),
    (
        {
            "model": "graduated",
            "tiers": [
                {"up_to": "1000", "unit_amount": "1"},
                {"from": "900", "up_to": None, "unit_amount": "2"},
            ],
        },
        "tiers[1].from: 900 overlaps the tier before, which ends at 1000",
    ),
    (
        {
            "model": "graduated",
            "tiers": [{"up_to": None, "unit_amount": "1"}, {"up_to": None, "unit_amount": "2"}],
        },
        "tiers[0].up_to: only the last tier is without end",
    ),
    ({"model": "package", "size": "0", "amount": "1"}, "size: must be more than zero"),
    (
        {"model": "matrix", "dimensions": ["m"], "cells": [{"match": {"x": "1"}, "price": PER_UNIT}]},
        "cells[0].match: may name only the dimensions m",
    ),
    (
        {
            "model": "matrix",
            "dimensions": ["m"],
            "cells": [{"match": {"m": "1"}, "price": PER_UNIT}, {"match": {"m": "1"}, "price": PER_UNIT}],
        },
        "cells[1].match: is the same as that of cells[0]",
    ),
    (
        {"model": "ramp", "steps": [{"from_month": "3", "price": PER_UNIT}]},
        "steps[0].from_month: the first step must begin at month 0",
    ),
    (
        {"model": "minimum", "amount": "1", "price": {"model": "flat", "amount": 1.5}},
        "price.amount: must be a decimal string",
    ),
    ({"model": "minimum", "amount": "1", "price": {"model": "of", "sku": "X"}}, "'of' can't stand inside"),
    ({"model": "prepaid", "amount": "1", "credit": "1", "price": PER_UNIT}, "price: is not known here"),
    ({"model": "percentage", "percent": "1", "floor": "5", "ceiling": "1"}, "floor: 5 is above the ceiling"),
    (
        {"model": "overage", "included": "5", "price": {"model": "multiple", "factor": "2", "price": FLAT}},
        "included: has no effect: price.price is an amount",
    ),
    (
        {
            "model": "matrix",
            "dimensions": ["m"],
            "cells": [
                {
                    "match": {"m": "1"},
                    "price": {
                        "model": "multiple",
                        "factor": "2",
                        "price": {"model": "cap", "amount": "5", "price": PER_UNIT},
                    },
                }
            ],
        },
        "cells[0].price.price.model: 'cap' can't stand inside",
    ),
    (
        {
            "model": "matrix",
            "dimensions": ["m"],
            "cells": [{"match": {"m": "1"}, "price": {**TIERED, "over_term": True}}],
        },
        "cells[0].price.over_term: can't stand inside of a matrix",
    ),
    (
        {"model": "minimum", "amount": "1", "price": {"model": "ramp", "steps": []}},
        "'ramp' can't stand inside",
    ),
]


@pytest.mark.parametrize(
    ("kind", "aggregation", "spec", "told"),
    [
        ("recurring", "", {**TIERED, "over_term": True}, "over_term: is for usage"),
        (
            "recurring",
            "",
            {"model": "cap", "amount": "1", "price": {**TIERED, "prorated": True}},
            "price.prorated",
        ),
        ("usage", "sum", {**TIERED, "prorated": True}, "prorated: needs a meter that weighs by time"),
        (
            "usage",
            "count",
            {"model": "percentage", "percent": "1", "floor": "1"},
            "floor: needs a meter that adds",
        ),
        (
            "recurring",
            "",
            {"model": "minimum", "amount": "1", "price": {"model": "percentage", "percent": "1"}},
            "price.model: 'percentage' can't price a SKU of kind 'recurring'",
        ),
    ],
)
def test_what_does_not_fit_what_is_sold_is_refused(
    kind: str, aggregation: str, spec: dict[str, Any], told: str
) -> None:
    assert told in "; ".join(price_spec.examine(spec, kind=kind, aggregation=aggregation).lines())


@pytest.mark.parametrize(("spec", "told"), BAD)
def test_what_is_wrong_is_named_by_its_place(spec: Any, told: str) -> None:
    assert told in "; ".join(price_spec.problems(spec))


def test_every_problem_is_named_at_once_with_the_record() -> None:
    spec = {
        "model": "graduated",
        "tiers": [{"up_to": 5.0, "unit_amount": 0.1}, {"unit_amount": "x", "y": "1"}],
    }
    with pytest.raises(InvalidInput) as refused:
        price_spec.validate(spec, record="TOKENS USD v3", kind="usage")
    assert refused.value.record == "TOKENS USD v3"
    assert set(refused.value.fields) == {
        "tiers[0].up_to",
        "tiers[0].unit_amount",
        "tiers[1].up_to",
        "tiers[1].unit_amount",
        "tiers[1].y",
    }


def test_a_model_must_suit_the_kind_of_sku() -> None:
    assert "'matrix' can't price a SKU of kind 'recurring'" in "; ".join(
        price_spec.problems(
            {"model": "matrix", "dimensions": ["m"], "cells": [{"match": {"m": "1"}, "price": PER_UNIT}]},
            kind="recurring",
        )
    )


def test_uplift_raises_every_price_and_no_quantity() -> None:
    spec = {
        "model": "minimum",
        "amount": "1000",
        "price": {
            "model": "graduated",
            "tiers": [
                {"up_to": "1000", "unit_amount": "0.10", "flat_amount": "5"},
                {"up_to": None, "unit_amount": "0.05"},
            ],
        },
    }
    assert price_spec.scaled(spec, Decimal("7.5")) == {
        "model": "minimum",
        "amount": "1075.00",
        "price": {
            "model": "graduated",
            "tiers": [
                {"up_to": "1000", "unit_amount": "0.1075", "flat_amount": "5.375"},
                {"up_to": None, "unit_amount": "0.05375"},
            ],
        },
    }


def test_uplift_that_would_have_to_be_rounded_is_refused() -> None:
    with pytest.raises(InvalidInput, match="more than 12 decimals"):
        price_spec.scaled({"model": "per_unit", "unit_amount": "0.000000000001"}, Decimal("0.5"))
