"""Reading what an amendment asks for: strict, and every problem at once."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from o2c.errors import InvalidInput
from orders.domain import changes


def test_quantity() -> None:
    found = changes.read("quantity", {"lines": [{"line": 1, "delta": "-3"}], "until": "2027-01-01"})
    assert found == changes.QuantityChange(
        (changes.QuantityItem(1, None, Decimal(-3)),), until=dt.date(2027, 1, 1)
    )


def test_price_drops_the_override_when_it_moves_to_another_list_price() -> None:
    found = changes.read("price", {"lines": [{"line": 1, "price": 34}, {"line": 2, "discount_percent": "5"}]})
    assert isinstance(found, changes.PriceChange)
    assert [(i.price, i.drop_override, i.discount_percent) for i in found.items] == [
        (34, True, None),
        (None, False, Decimal(5)),
    ]


BAD: list[tuple[str, Any, dict[str, str]]] = [
    ("quantity", {}, {"lines": "at least one line"}),
    ("quantity", {"lines": [{"line": 1}]}, {"lines[0]": "either a quantity or a delta"}),
    (
        "quantity",
        {"lines": [{"line": 1, "quantity": 5.0}, {"line": 1, "quantity": "x"}], "until": "soon", "why": "x"},
        {
            "lines[0].quantity": "decimal string",
            "lines[1].quantity": "not a decimal",
            "lines[1].line": "named twice",
            "until": "not a date",
            "why": "not known",
        },
    ),
    ("quantity", {"lines": [{"line": 1, "quantity": "-1"}]}, {"lines[0].quantity": "not between 0"}),
    ("quantity", {"lines": [{"line": True, "quantity": "1"}]}, {"lines[0].line": "id of an order line"}),
    ("quantity", {"lines": [{"line": 1, "quantity": "0.0000000001"}]}, {"lines[0].quantity": "9 decimals"}),
    ("price", {"lines": [{"line": 1}]}, {"lines[0]": "give a price"}),
    ("price", {"lines": [{"line": 1, "discount_percent": "101"}]}, {"lines[0].discount_percent": "between"}),
    (
        "price",
        {"lines": [{"line": 1, "override": {"model": "flat", "amount": 1.5}}]},
        {"lines[0].override": "must be a decimal string"},
    ),
    (
        "add_line",
        {"lines": [{"quantity": "1", "timing": "later"}]},
        {"lines[0].sku": "missing", "lines[0].timing": "'later'"},
    ),
    ("cancel", {"mode": "never"}, {"mode": "'never' is not one of"}),
    ("cancel", {"lines": "all"}, {"lines": "list of ids"}),
    (
        "renew",
        {"term_months": 0, "uplift_percent": 5},
        {"term_months": "between 1", "uplift_percent": "decimal string"},
    ),
]


@pytest.mark.parametrize(("kind", "asked", "told"), BAD)
def test_every_problem_is_named(kind: str, asked: Any, told: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        changes.read(kind, asked, record="O-000001")
    assert set(refused.value.fields) == set(told)
    for path, text in told.items():
        assert text in "; ".join(refused.value.fields[path])


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'party' is not a kind"):
        changes.read("party", {})
