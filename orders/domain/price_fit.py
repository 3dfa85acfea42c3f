"""Which prices fit what is sold, and which of their clauses would change nothing there.

What somebody wrote into a price, they expect on the invoice: a clause without effect is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

Spec = Mapping[str, Any]

# Models by the kind of SKU they can price. A usage price is applied to a metered quantity of a period, a
# recurring price to the quantity of a segment, one-time and prepaid prices once.
MODELS_OF_KIND: dict[str, frozenset[str]] = {
    "recurring": frozenset(
        {
            "flat",
            "per_unit",
            "graduated",
            "volume",
            "package",
            "ramp",
            "minimum",
            "cap",
            "overage",
            "multiple",
        }
    ),
    "usage": frozenset(
        {
            "flat",
            "per_unit",
            "graduated",
            "volume",
            "package",
            "percentage",
            "matrix",
            "ramp",
            "minimum",
            "cap",
            "overage",
            "multiple",
            "of",
        }
    ),
    "one_time": frozenset({"flat", "one_time", "per_unit", "graduated", "volume", "package"}),
    "prepaid": frozenset({"prepaid"}),
}


def nested(spec: Spec, path: str = "") -> Iterator[tuple[str, Spec]]:
    """A price of valid shape and every price inside of it, each with its place."""
    yield path, spec
    if "price" in spec:
        yield from nested(spec["price"], _at(path, "price"))
    if "default" in spec:
        yield from nested(spec["default"], _at(path, "default"))
    for name in ("cells", "steps"):
        for index, item in enumerate(spec.get(name, ())):
            yield from nested(item["price"], f"{_at(path, name)}[{index}].price")


def unfit(spec: Spec, kind: str, aggregation: str) -> Iterator[tuple[str, str]]:
    """Place and text of everything that does not fit. `kind` and `aggregation` are empty where not known."""
    for path, inner in nested(spec):
        for name, text in _without_effect(inner):
            yield _at(path, name), text
        if kind:
            for name, text in _of_kind(inner, kind, aggregation):
                yield _at(path, name), text


def _of_kind(spec: Spec, kind: str, aggregation: str) -> Iterator[tuple[str, str]]:
    allowed = MODELS_OF_KIND.get(kind, frozenset())
    model = spec["model"]
    if model not in allowed:
        yield (
            "model",
            f"{model!r} can't price a SKU of kind {kind!r}; use one of {', '.join(sorted(allowed))}",
        )
    for name in ("over_term", "prorated"):
        if spec.get(name) and kind != "usage":
            yield name, "is for usage: only a meter tells what was there when"
    if spec.get("prorated") and aggregation not in ("", "weighted"):
        yield "prorated", f"needs a meter that weighs by time, and this one takes the {aggregation}"
    if by_transaction(spec) and aggregation not in ("", "sum"):
        name = "floor" if "floor" in spec else "ceiling"
        yield name, f"needs a meter that adds up, and this one takes the {aggregation}"


def _without_effect(spec: Spec) -> Iterator[tuple[str, str]]:
    if "floor" in spec and "ceiling" in spec and Decimal(spec["floor"]) > Decimal(spec["ceiling"]):
        yield "floor", f"{spec['floor']} is above the ceiling, {spec['ceiling']}"
    if spec["model"] != "overage":
        return
    for place, inner in nested(spec["price"], "price"):
        if inner["model"] == "flat":
            yield "included", f"has no effect: {place} is an amount, not a price of units"
        elif by_transaction(inner):
            yield "included", f"has no effect: {place} is a price of single transactions"
        elif inner.get("prorated"):
            yield "included", f"has no effect: {place} is a price of a level that varies"


def by_transaction(spec: Spec) -> bool:
    """Whether a floor or ceiling is for each transaction."""
    return spec["model"] == "percentage" and ("floor" in spec or "ceiling" in spec)


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
