"""The shape of a price: which models exist, and everything that can be wrong with one.

A spec is JSON. Every number in it is a decimal STRING ("0.0000025"): a JSON number becomes a float somewhere
on its way, and then a price is no longer the price that was agreed. Money is in the currency of the price
that holds the spec; unit amounts may have up to 12 decimals, and are never rounded.

    {"model": "flat", "amount": "500.00"}                           per period (recurring) or once
    {"model": "one_time", "amount": "500.00"}                       once, whatever the quantity
    {"model": "per_unit", "unit_amount": "0.0000025"}
    {"model": "graduated", "tiers": [                               each unit at its tier's price
        {"up_to": "1000", "unit_amount": "0.10", "flat_amount": "0"},
        {"up_to": null, "unit_amount": "0.05"}]}
    {"model": "volume", "tiers": [...]}                             all units at the price of the tier reached
    {"model": "package", "size": "100", "amount": "2.95", "free_units": "0"}          per begun package
    {"model": "percentage", "percent": "2.5", "fixed_amount": "0.30", "floor": "1", "ceiling": "50"}
                                                                    of metered money, per transaction
    {"model": "matrix", "dimensions": ["model"], "cells": [
        {"match": {"model": "a"}, "price": {...}}], "default": {...}}
    {"model": "ramp", "steps": [{"from_month": "0", "price": {...}}, {"from_month": "12", "price": {...}}]}
    {"model": "minimum", "amount": "1000", "price": {...}}          at least this much a period
    {"model": "cap", "amount": "5000", "price": {...}}              at most this much a period
    {"model": "overage", "included": "1000", "price": {...}}        only what goes beyond it
    {"model": "multiple", "factor": "0.5", "price": {...}}          half of what the price comes to
    {"model": "of", "sku": "TOKENS", "factor": "0.5"}               half of what TOKENS costs on that day
    {"model": "prepaid", "amount": "9000.00", "credit": "10000.00"} pay amount, use credit

The credit of a prepayment is a grant; "grant" holds its terms (orders/domain/clauses.py).

A tier covers (end of the tier before, up_to]; the last one has `up_to` null. A tier may state its lower end
as "from"; it must then be the end of the tier before. "over_term": true counts tiers from the start of the
segment instead of the billing period; "prorated": true (graduated) prices a level that varies by time. A cell
of a matrix may name fewer dimensions than the matrix has: it is a fallback for the rest.

A clause that would change nothing where it stands is refused: what somebody wrote into a price, they expect
on the invoice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from typing import Any

from o2c.errors import InvalidInput
from orders.domain.clauses import grant_problems
from orders.domain.price_fit import unfit

Spec = Mapping[str, Any]

DECIMAL = re.compile(r"^(0|[1-9]\d{0,15})(\.\d{1,12})?$")
# Wide enough for any product of a price and a percentage; a result that would be rounded raises instead.
EXACT = Context(prec=80, traps=[Inexact])
MAX_DEPTH = 4
MAX_TIERS = 100
MAX_CELLS = 2000


class Findings:
    """Collects problems with the place where they are: "tiers[2].up_to: …"."""

    def __init__(self) -> None:
        self.by_path: dict[str, list[str]] = {}

    def add(self, path: str, message: str) -> None:
        self.by_path.setdefault(path, []).append(message)

    def lines(self) -> list[str]:
        return [
            f"{path}: {message}" if path else message
            for path, found in self.by_path.items()
            for message in found
        ]


@dataclass(frozen=True, slots=True)
class Inside:
    """How deep a price stands in another one, and what can't stand there."""

    depth: int = 0
    forbidden: frozenset[str] = frozenset()

    def deeper(self, forbidden: frozenset[str]) -> Inside:
        return Inside(self.depth + 1, self.forbidden | forbidden | {"of"})


def validate(spec: object, *, record: str, kind: str = "") -> None:
    """Raise InvalidInput with every problem of `spec`, and the record it belongs to.

    `kind` is the kind of the SKU; with it, a model that can't price such a SKU is a problem too.
    """
    found = examine(spec, kind=kind)
    if found.by_path:
        raise InvalidInput(
            "The price is not valid. " + "; ".join(found.lines()),
            record=record,
            remedy="Correct the price and try again",
            code="price_spec_invalid",
            fields=found.by_path,
        )


def problems(spec: object, *, kind: str = "") -> list[str]:
    """Every problem of `spec` as "place: what is wrong"; an empty list for a good one."""
    return examine(spec, kind=kind).lines()


def examine(spec: object, *, kind: str = "", aggregation: str = "") -> Findings:
    """Every problem by its place. `kind` is that of the SKU, `aggregation` that of its meter, where known."""
    found = Findings()
    _spec(spec, "", found, Inside())
    if isinstance(spec, Mapping) and not found.by_path:
        for place, text in unfit(spec, kind, aggregation):
            found.add(place, text)
    return found


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _decimal(spec: Spec, name: str, path: str, found: Findings, *, positive: bool = False) -> Decimal | None:
    """Check one decimal string; answer its value, or None when it is not one."""
    value, where = spec.get(name), _at(path, name)
    if isinstance(value, bool) or not isinstance(value, str):
        kind = type(value).__name__ if value is not None else "nothing"
        found.add(
            where, f'must be a decimal string such as "0.10", and is {kind}: numbers in JSON are floats'
        )
        return None
    if not DECIMAL.match(value):
        found.add(
            where,
            f"{value!r} is not a decimal of at most 16 digits and 12 decimals, without sign or exponent",
        )
        return None
    if positive and Decimal(value) == 0:
        found.add(where, "must be more than zero")
        return None
    return Decimal(value)


def _keys(
    spec: Spec, path: str, found: Findings, required: set[str], optional: frozenset[str] = frozenset()
) -> None:
    for name in sorted(required - set(spec)):
        found.add(_at(path, name), "is missing")
    for name in sorted(set(map(str, spec)) - required - optional - {"model"}):
        found.add(_at(path, name), "is not known here")


def _spec(spec: object, path: str, found: Findings, inside: Inside) -> None:
    if not isinstance(spec, Mapping):
        found.add(path, f'a price must be an object with a "model", and is {type(spec).__name__}')
        return
    model = spec.get("model")
    check = CHECKS.get(model) if isinstance(model, str) else None
    if check is None:
        found.add(
            _at(path, "model"), f"{model!r} is not a price model; known are {', '.join(sorted(CHECKS))}"
        )
        return
    if model in inside.forbidden:
        found.add(_at(path, "model"), f"{model!r} can't stand inside this price")
        return
    if inside.depth >= MAX_DEPTH:
        found.add(path, f"prices are nested more than {MAX_DEPTH} deep")
        return
    check(spec, path, found, inside)


def _nested(
    spec: Spec, name: str, path: str, found: Findings, inside: Inside, forbidden: frozenset[str]
) -> None:
    """The price at `name`: there, and however deep inside of it, these models can't stand."""
    if name in spec:
        _spec(spec[name], _at(path, name), found, inside.deeper(forbidden))


def _amount_only(spec: Spec, path: str, found: Findings, inside: Inside) -> None:
    _keys(spec, path, found, {"amount"})
    if "amount" in spec:
        _decimal(spec, "amount", path, found)


def _per_unit(spec: Spec, path: str, found: Findings, inside: Inside) -> None:
    _keys(spec, path, found, {"unit_amount"})
    if "unit_amount" in spec:
        _decimal(spec, "unit_amount", path, found)


def _package(spec: Spec, path: str, found: Findings, inside: Inside) -> None:
    _keys(spec, path, found, {"size", "amount"}, frozenset({"free_units"}))
    for name in ("amount", "free_units"):
        if name in spec:
            _decimal(spec, name, path, found)
    if "size" in spec:
        _decimal(spec, "size", path, found, positive=True)


def _percentage(spec: Spec, path: str, found: Findings, inside: Inside) -> None:
    _keys(spec, path, found, {"percent"}, frozenset({"fixed_amount", "floor", "ceiling"}))
    for name in ("percent", "fixed_amount", "floor", "ceiling"):
        if name in spec:
            _decimal(spec, name, path, found)


def _items(spec: Spec, name: str, path: str, found: Findings, limit: int) -> Iterator[tuple[str, Spec]]:
    """The objects of a list, each with its place; complains about what is not an object."""
    items, where = spec.get(name), _at(path, name)
    if not isinstance(items, list) or not items:
        if name in spec:
            found.add(where, "must be a list with at least one entry")
        return
    if len(items) > limit:
        found.add(where, f"has {len(items)} entries; at most {limit} are allowed")
        return
    for index, item in enumerate(items):
        place = f"{where}[{index}]"
        if isinstance(item, Mapping):
            yield place, item
        else:
            found.add(place, f"must be an object, and is {type(item).__name__}")


def _tiers(spec: Spec, path: str, found: Findings, inside: Inside) -> None:
    _keys(
        spec,
        path,
        found,
        {"tiers"},
        frozenset({"over_term", "prorated"} if spec["model"] == "graduated" else {"over_term"}),
    )
    for name in ("over_term", "prorated"):
        if name in spec and not isinstance(spec[name], bool):
            found.add(_at(path, name), "must be true or false")
    if spec.get("over_term") and "minimum" in inside.forbidden:
        found.add(_at(path, "over_term"), "can't stand inside of a matrix")
    tiers = list(_items(spec, "tiers", path, found, MAX_TIERS))
    reached: Decimal | None = Decimal(0)
    for position, (place, tier) in enumerate(tiers, start=1):
        _keys(tier, place, found, {"up_to", "unit_amount"}, frozenset({"flat_amount", "from"}))
        for name in ("unit_amount", "flat_amount"):
            if name in tier:
                _decimal(tier, name, place, found)
        reached = _tier_bounds(tier, place, found, reached, last=position == len(tiers))


def _tier_bounds(
    tier: Spec, place: str, found: Findings, reached: Decimal | None, *, last: bool
) -> Decimal | None:
    """Check where the tier begins and ends after `reached`; answer where the next one begins."""
    if "from" in tier:
        start = _decimal(tier, "from", place, found)
        if start is not None and reached is not None and start != reached:
            what = "leaves a gap after" if start > reached else "overlaps"
            found.add(_at(place, "from"), f"{start} {what} the tier before, which ends at {reached}")
    if "up_to" not in tier:
        return None
    if tier["up_to"] is None:
        if not last:
            found.add(_at(place, "up_to"), "only the last tier is without end")
        return None
    if last:
        found.add(_at(place, "up_to"), "the last tier must be without end (null), or the price stops there")
    end = _decimal(tier, "up_to", place, found)
    if end is not None and reached is not None and end <= reached:
        found.add(
            _at(place, "up_to"),
            f"{end} is not above {reached}, where the tier before ends: tiers must ascend",
        )
    return end


def _matrix(spec: Spec, path: str, found: Findings, inside: Inside) -> None:
    _keys(spec, path, found, {"dimensions", "cells"}, frozenset({"default"}))
    names = spec.get("dimensions")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
        found.add(_at(path, "dimensions"), "must be a list of names")
        return
    if len(set(names)) != len(names):
        found.add(_at(path, "dimensions"), "names a dimension twice")
    cells = frozenset({"matrix", "ramp", "prepaid", "one_time", "minimum", "cap"})
    seen: dict[tuple[str, ...], str] = {}
    for place, cell in _items(spec, "cells", path, found, MAX_CELLS):
        _keys(cell, place, found, {"match", "price"})
        _cell_match(cell.get("match"), names, place, found, seen)
        _nested(cell, "price", place, found, inside, cells)
    _nested(spec, "default", path, found, inside, cells)


def _cell_match(
    match: object, names: list[str], place: str, found: Findings, seen: dict[tuple[str, ...], str]
) -> None:
    if not isinstance(match, Mapping) or not all(isinstance(v, str) for v in match.values()):
        found.add(_at(place, "match"), "must give a text for each dimension")
        return
    if not match or not set(match) <= set(names):
        found.add(_at(place, "match"), f"may name only the dimensions {', '.join(names)}, and at least one")
        return
    key = tuple(match.get(name, "") for name in names)
    if key in seen:
        found.add(_at(place, "match"), f"is the same as that of {seen[key]}")
    seen.setdefault(key, place)


def _ramp(spec: Spec, path: str, found: Findings, inside: Inside) -> None:
    _keys(spec, path, found, {"steps"})
    before = -1
    for position, (place, step) in enumerate(_items(spec, "steps", path, found, MAX_TIERS), start=1):
        _keys(step, place, found, {"from_month", "price"})
        month = _decimal(step, "from_month", place, found) if "from_month" in step else None
        if month is not None:
            if month != int(month):
                found.add(_at(place, "from_month"), f"{month} is not a whole number of months")
            elif position == 1 and month != 0:
                found.add(_at(place, "from_month"), "the first step must begin at month 0")
            elif month <= before:
                found.add(
                    _at(place, "from_month"), f"{month} does not come after {before}: steps must ascend"
                )
            before = int(month)
        _nested(step, "price", place, found, inside, frozenset({"ramp", "prepaid"}))


def _bound(spec: Spec, path: str, found: Findings, inside: Inside) -> None:
    _keys(spec, path, found, {"amount", "price"})
    if "amount" in spec:
        _decimal(spec, "amount", path, found)
    _nested(spec, "price", path, found, inside, frozenset({"ramp", "prepaid", "one_time"}))


def _overage(spec: Spec, path: str, found: Findings, inside: Inside) -> None:
    _keys(spec, path, found, {"included", "price"})
    if "included" in spec:
        _decimal(spec, "included", path, found)
    _nested(
        spec, "price", path, found, inside, frozenset({"ramp", "prepaid", "one_time", "overage", "matrix"})
    )


def _multiple(spec: Spec, path: str, found: Findings, inside: Inside) -> None:
    _keys(spec, path, found, {"factor", "price"})
    if "factor" in spec:
        _decimal(spec, "factor", path, found)
    _nested(spec, "price", path, found, inside, frozenset({"ramp", "prepaid", "one_time"}))


def _of(spec: Spec, path: str, found: Findings, inside: Inside) -> None:
    _keys(spec, path, found, {"sku"}, frozenset({"factor"}))
    if "sku" in spec and not (isinstance(spec["sku"], str) and spec["sku"]):
        found.add(_at(path, "sku"), "must be the code of a SKU")
    if "factor" in spec:
        _decimal(spec, "factor", path, found)


def _prepaid(spec: Spec, path: str, found: Findings, inside: Inside) -> None:
    _keys(spec, path, found, {"amount", "credit"}, frozenset({"grant"}))
    if "grant" in spec:
        for place, message in grant_problems(spec["grant"]):
            found.add(_at(path, "grant") + place, message)
    if "amount" in spec:
        _decimal(spec, "amount", path, found)
    if "credit" in spec:
        _decimal(spec, "credit", path, found, positive=True)


CHECKS: dict[str, Callable[[Spec, str, Findings, Inside], None]] = {
    "flat": _amount_only,
    "one_time": _amount_only,
    "per_unit": _per_unit,
    "graduated": _tiers,
    "volume": _tiers,
    "package": _package,
    "percentage": _percentage,
    "matrix": _matrix,
    "ramp": _ramp,
    "minimum": _bound,
    "cap": _bound,
    "overage": _overage,
    "multiple": _multiple,
    "prepaid": _prepaid,
    "of": _of,
}

MONEY_KEYS = frozenset({"amount", "unit_amount", "flat_amount", "fixed_amount", "floor", "ceiling"})


def scaled(spec: Spec, percent: Decimal) -> dict[str, Any]:
    """`spec` with every price in it raised (or, negative, lowered) by `percent`; exact, nothing rounded.

    Quantities (tier ends, package sizes, included units) and the credit of a prepayment stay as they are.

    >>> scaled({"model": "per_unit", "unit_amount": "40.00"}, Decimal("5"))
    {'model': 'per_unit', 'unit_amount': '42.00'}

    Raises InvalidInput when the result needs more than 12 decimals: a price is never rounded silently.
    """
    factor = EXACT.add(1, EXACT.divide(percent, 100))
    if factor < 0:
        raise InvalidInput(f"An uplift of {percent} % would make prices negative")
    return {key: _scaled_value(key, value, factor) for key, value in spec.items()}


def _scaled_value(key: str, value: Any, factor: Decimal) -> Any:
    if isinstance(value, Mapping):
        return value if key == "match" else {k: _scaled_value(k, v, factor) for k, v in value.items()}
    if isinstance(value, list):
        return [_scaled_value(key, item, factor) for item in value]
    if key not in MONEY_KEYS or not isinstance(value, str):
        return value
    return _plain(EXACT.multiply(Decimal(value), factor))


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    if "." in text:
        whole, decimals = text.split(".")
        text = f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
    if not DECIMAL.match(text):
        raise InvalidInput(
            f"{text} has more than 12 decimals",
            remedy="Choose an uplift that gives a price that can be written out",
        )
    return text
