"""Reading stored price specifications: JSON whose numbers are decimal strings, to `Price` values.

The shape is documented and checked in `orders/domain/price_spec.py`. Reading refuses what it does not
understand: an unknown key could be a clause of the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.domain import prices
from billing.domain.measures import ZERO
from billing.domain.prices import Price
from o2c.errors import InvalidInput

Spec = Mapping[str, Any]


def parse(spec: Spec, *, record: str = "price") -> Price:
    """The price that `spec` describes.

    Raises InvalidInput, naming `record`, for an unknown model or key, a number that is not a decimal string,
    or tiers with a gap.

    >>> parse({"model": "per_unit", "unit_amount": "0.0000025"}).model.unit_amount
    Fraction(1, 400000)
    """
    try:
        return _price(spec)
    except InvalidInput as error:
        raise InvalidInput(error.message, record=record, remedy=error.remedy, code=error.code) from error


def _price(spec: Spec) -> Price:
    model = spec.get("model")
    read = READERS.get(model) if isinstance(model, str) else None
    if read is None:
        raise InvalidInput(f"{model!r} is not a price model", code="unknown_price_model")
    return read(spec)


def _number(spec: Spec, name: str, default: str | None = None) -> Fraction:
    value = spec.get(name, default)
    if not isinstance(value, str):
        raise InvalidInput(f"{name} must be a decimal string", remedy=f'Write "{name}": "1.50"')
    try:
        return Fraction(Decimal(value))
    except (ArithmeticError, ValueError) as error:
        raise InvalidInput(f"{name} is {value!r}, which is not a decimal") from error


def _known(spec: Spec, *names: str) -> None:
    unknown = set(spec) - {"model", *names}
    if unknown:
        raise InvalidInput(f"{', '.join(sorted(unknown))} is not known in a price of {spec['model']}")


def _flat(spec: Spec) -> Price:
    _known(spec, "amount")
    return Price(prices.Flat(_number(spec, "amount"), name=str(spec["model"])))


def _per_unit(spec: Spec) -> Price:
    _known(spec, "unit_amount")
    return Price(prices.PerUnit(_number(spec, "unit_amount")))


def _tiers(spec: Spec) -> tuple[prices.Tier, ...]:
    tiers: list[prices.Tier] = []
    low = ZERO
    rows = spec.get("tiers") or []
    for position, row in enumerate(rows):
        up_to = None if row.get("up_to") is None else _number(row, "up_to")
        begins = _number(row, "from") if "from" in row else low
        if begins != low:
            raise InvalidInput(f"Tier {position + 1} begins at {begins}, not at {low}", code="tier_gap")
        if (up_to is None) != (position + 1 == len(rows)) or (up_to is not None and up_to <= low):
            raise InvalidInput(
                "Tiers must ascend, and only the last is open", code="tier_gap", remedy="Correct up_to"
            )
        tiers.append(prices.Tier(up_to, _number(row, "unit_amount"), _number(row, "flat_amount", "0")))
        low = up_to or low
    if not tiers:
        raise InvalidInput("A tiered price needs tiers")
    return tuple(tiers)


def _graduated(spec: Spec) -> Price:
    _known(spec, "tiers", "prorated", "over_term")
    model = prices.Graduated(_tiers(spec), prorated=bool(spec.get("prorated", False)))
    return Price(model, over_term=bool(spec.get("over_term", False)))


def _volume(spec: Spec) -> Price:
    _known(spec, "tiers", "over_term")
    return Price(prices.Volume(_tiers(spec)), over_term=bool(spec.get("over_term", False)))


def _package(spec: Spec) -> Price:
    _known(spec, "size", "amount", "free_units")
    size = _number(spec, "size")
    if size <= 0:
        raise InvalidInput("A package has a size above zero")
    return Price(prices.Package(size, _number(spec, "amount"), _number(spec, "free_units", "0")))


def _percentage(spec: Spec) -> Price:
    _known(spec, "percent", "fixed_amount", "floor", "ceiling")
    return Price(
        prices.Percentage(
            _number(spec, "percent"),
            _number(spec, "fixed_amount", "0"),
            _number(spec, "floor") if "floor" in spec else None,
            _number(spec, "ceiling") if "ceiling" in spec else None,
        )
    )


def _matrix(spec: Spec) -> Price:
    _known(spec, "dimensions", "cells", "default")
    cells = tuple((tuple(sorted(cell["match"].items())), _price(cell["price"])) for cell in spec["cells"])
    default = _price(spec["default"]) if "default" in spec else None
    return Price(prices.Matrix(tuple(sorted(spec["dimensions"])), cells, default))


def _ramp(spec: Spec) -> Price:
    _known(spec, "steps")
    steps = tuple((int(_number(step, "from_month")), _price(step["price"])) for step in spec["steps"])
    months = [month for month, _ in steps]
    if not months or months[0] != 0 or months != sorted(set(months)):
        raise InvalidInput("The steps of a ramp begin at month 0 and ascend")
    return Price(prices.Ramp(steps))


def _minimum(spec: Spec) -> Price:
    _known(spec, "amount", "price")
    price, floor = _price(spec["price"]), _number(spec, "amount")
    return replace(price, minimum=floor if price.minimum is None else max(floor, price.minimum))


def _cap(spec: Spec) -> Price:
    _known(spec, "amount", "price")
    price, ceiling = _price(spec["price"]), _number(spec, "amount")
    return replace(price, maximum=ceiling if price.maximum is None else min(ceiling, price.maximum))


def _overage(spec: Spec) -> Price:
    _known(spec, "included", "price")
    price = _price(spec["price"])
    return replace(price, included=price.included + _number(spec, "included"))


def _multiple(spec: Spec) -> Price:
    _known(spec, "factor", "price")
    return _price(spec["price"]).times(_number(spec, "factor"))


def _of(spec: Spec) -> Price:
    _known(spec, "sku", "factor")
    return Price(prices.Of(str(spec["sku"]), _number(spec, "factor", "1")))


def _prepaid(spec: Spec) -> Price:
    _known(spec, "amount", "credit", "price", "grant")
    drawdown = _price(spec["price"]) if "price" in spec else None
    return Price(prices.Prepaid(_number(spec, "amount"), _number(spec, "credit"), drawdown))


READERS: dict[str, Callable[[Spec], Price]] = {
    "flat": _flat,
    "one_time": _flat,
    "per_unit": _per_unit,
    "graduated": _graduated,
    "volume": _volume,
    "package": _package,
    "percentage": _percentage,
    "matrix": _matrix,
    "ramp": _ramp,
    "minimum": _minimum,
    "cap": _cap,
    "overage": _overage,
    "multiple": _multiple,
    "prepaid": _prepaid,
    "of": _of,
}
