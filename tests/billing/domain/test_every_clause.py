"""Every clause of every price that validation lets through changes what is charged, somewhere.

A clause that the engine reads and then passes over is money that was agreed and never billed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from billing.domain.charges import expected
from billing.domain.types import Aggregation, Kind, UsagePoint
from o2c.errors import InvalidInput
from orders.domain import price_spec
from tests.billing.domain.contracts import contract, day, line, segment, usage_line

TIERS = [
    {"up_to": "2", "unit_amount": "3", "flat_amount": "2"},
    {"up_to": None, "unit_amount": "1.5", "flat_amount": "7"},
]
SIMPLE: list[dict[str, Any]] = [
    {"model": "flat", "amount": "20"},
    {"model": "one_time", "amount": "20"},
    {"model": "per_unit", "unit_amount": "2"},
    {"model": "graduated", "tiers": TIERS},
    {"model": "graduated", "tiers": TIERS, "over_term": True},
    {"model": "graduated", "tiers": TIERS, "prorated": True},
    {"model": "volume", "tiers": TIERS},
    {"model": "volume", "tiers": TIERS, "over_term": True},
    {"model": "package", "size": "4", "amount": "9", "free_units": "3"},
    {"model": "percentage", "percent": "30", "fixed_amount": "2"},
    {"model": "percentage", "percent": "30", "fixed_amount": "2", "floor": "6", "ceiling": "11"},
]


NESTED = [SIMPLE[2], SIMPLE[-1]]


def around(inner: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every price that holds another one, around this one."""
    other = {"model": "per_unit", "unit_amount": "4"}
    yield {"model": "minimum", "amount": "8", "price": inner}
    yield {"model": "cap", "amount": "26", "price": inner}
    yield {"model": "overage", "included": "3", "price": inner}
    yield {"model": "multiple", "factor": "0.5", "price": inner}
    steps = [{"from_month": "0", "price": other}, {"from_month": "1", "price": inner}]
    yield {"model": "ramp", "steps": steps}
    cells = [{"match": {"m": "b"}, "price": other}, {"match": {"m": "a"}, "price": inner}]
    yield {"model": "matrix", "dimensions": ["m"], "cells": cells}
    yield {"model": "matrix", "dimensions": ["m"], "cells": cells[:1], "default": inner}


PRICES = [
    *SIMPLE,
    *(spec for inner in SIMPLE for spec in around(inner)),
    *(spec for inner in NESTED for middle in around(inner) for spec in around(middle)),
]
QUANTITIES = ("1", "2", "4", "12", "300")


def changed(spec: Any) -> Iterator[tuple[str, Any]]:
    """The price with one clause changed, by the place of the clause; a number up and down."""
    if isinstance(spec, list):
        for index, item in enumerate(spec):
            for place, other in changed(item):
                yield f"[{index}]{place}", [*spec[:index], other, *spec[index + 1 :]]
        return
    for name, value in spec.items():
        if isinstance(value, bool):
            yield f".{name}", {**spec, name: not value}
        elif isinstance(value, str) and name != "model" and value != "0":
            yield f".{name}", {**spec, name: f"{Decimal(value) * 3 + 1:f}"}
            yield f".{name}", {**spec, name: f"{Decimal(value) / 5:f}"}
        elif isinstance(value, dict | list) and name not in ("match", "dimensions"):
            for place, other in changed(value):
                yield f".{name}{place}", {**spec, name: other}


def _used(on: str, quantity: str, value: str) -> UsagePoint:
    return UsagePoint(day(on), Decimal(quantity), dimensions=(("m", value),))


def usages(quantity: str) -> list[Mapping[int, Sequence[UsagePoint]]]:
    """Every month with several values, one month with one, and none at all."""
    every = [_used(f"2026-0{month}-11", quantity, value) for month in (6, 7, 8) for value in "aab"]
    return [
        {1: every},
        {1: [_used("2026-07-11", quantity, "a")]},
        {1: [_used("2026-07-11", quantity, "c")]},
        {},
    ]


def charged(spec: dict[str, Any], kind: Kind, aggregation: Aggregation) -> list[str]:
    """What three months come to, at several quantities."""
    found = []
    for quantity in QUANTITIES:
        own = segment(1, "2026-06-01", "2026-09-01", spec, quantity=quantity)
        usage = kind is Kind.USAGE
        sold = usage_line(own, aggregation=aggregation) if usage else line(own, kind=kind)
        for one in usages(quantity) if usage else [{}]:
            try:
                found += [str(c.amount) for c in expected(contract(sold), one, day("2026-09-01"))]
            except InvalidInput as error:
                found.append(error.message)
    return found


@pytest.mark.parametrize(
    ("kind", "aggregation", "least"),
    [
        (Kind.RECURRING, Aggregation.SUM, 40),
        (Kind.ONE_TIME, Aggregation.SUM, 6),
        (Kind.USAGE, Aggregation.SUM, 100),
        (Kind.USAGE, Aggregation.WEIGHTED, 80),
    ],
)
def test_every_clause_has_an_effect_or_is_refused(kind: Kind, aggregation: Aggregation, least: int) -> None:
    of = aggregation.value if kind is Kind.USAGE else ""

    def refused(spec: Any) -> bool:
        return bool(price_spec.examine(spec, kind=kind.value, aggregation=of).by_path)

    good = [spec for spec in PRICES if not refused(spec)]
    passed_over = []
    for spec in good:
        before = charged(spec, kind, aggregation)
        matters: dict[str, bool] = {}
        for place, other in changed(spec):
            if not matters.get(place) and not refused(other):
                matters[place] = charged(other, kind, aggregation) != before
        passed_over += [f"{place} of {spec}" for place, does in matters.items() if not does]
    assert passed_over == []
    assert len(good) >= least
