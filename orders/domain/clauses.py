"""The shape of contract clauses that are kept as JSON: commitments, thresholds, terms of a grant.

As in a price, every number is a decimal STRING.

    commitments         [{"amount": "10000.00", "per": "quarter", "skus": ["API"], "overage_factor": "1.5"}]
                        at least this much a period; without `skus` all that recurs or is used counts
    invoice_thresholds  ["200.00", "500.00"]    unbilled usage of a billing period that makes an early invoice
    grant               {"priority": "100", "expires_after_months": "12", "rollover_percent": "50",
                         "rollover_limit": "1000.00", "rollover_months": "3",
                         "scope": {"skus": [], "products": [], "meters": [], "dimensions": {"model": ["a"]}}}
                        terms of the credit that a prepayment buys; every key may be left out
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

DECIMAL = re.compile(r"^(0|[1-9]\d{0,15})(\.\d{1,12})?$")
WHOLE = re.compile(r"^(0|[1-9]\d{0,4})$")
PER = ("week", "month", "quarter", "half_year", "year", "term")
MOST = 20
SCOPE_LISTS = ("skus", "products", "meters")
GRANT_KEYS = {
    "priority",
    "expires_after_months",
    "rollover_percent",
    "rollover_limit",
    "rollover_months",
    "scope",
}


def commitment_problems(value: object) -> list[str]:
    """What is wrong with the commitments of a contract; empty when nothing is."""
    if not isinstance(value, (list, tuple)) or len(value) > MOST:
        return [f"must be a list of at most {MOST} commitments"]
    return [f"[{n}] {text}" for n, item in enumerate(value) for text in _commitment(item)]


def _commitment(item: object) -> Iterator[str]:
    if not isinstance(item, Mapping):
        yield "must be an object"
        return
    for name in sorted(set(map(str, item)) - {"amount", "per", "skus", "overage_factor"}):
        yield f"{name} is not known here"
    amount = _decimal(item.get("amount"))
    if amount is None or not amount:
        yield 'amount must be a decimal string above zero such as "1000.00"'
    if item.get("per") not in PER:
        yield f"per must be one of {', '.join(PER)}"
    if not _texts(item.get("skus", [])):
        yield "skus must be a list of SKU codes"
    factor = _decimal(item.get("overage_factor", "1"))
    if factor is None or factor < 1:
        yield 'overage_factor must be a decimal string of at least "1"'


def threshold_problems(value: object) -> list[str]:
    """What is wrong with the thresholds of a contract; empty when nothing is."""
    if not isinstance(value, (list, tuple)) or len(value) > MOST:
        return [f"must be a list of at most {MOST} amounts"]
    amounts = [_decimal(item) for item in value]
    if any(amount is None or not amount for amount in amounts):
        return ['must hold decimal strings above zero such as "200.00"']
    known = [amount for amount in amounts if amount is not None]
    return [] if known == sorted(set(known)) else ["must ascend"]


def grant_problems(value: object) -> list[tuple[str, str]]:
    """What is wrong with the terms of a grant: (place, message)."""
    if not isinstance(value, Mapping):
        return [("", "must be an object")]
    found = [(f".{name}", "is not known here") for name in sorted(set(map(str, value)) - GRANT_KEYS)]
    for name in ("priority", "expires_after_months", "rollover_months"):
        if name in value and not (isinstance(value[name], str) and WHOLE.match(value[name])):
            found.append((f".{name}", 'must be a whole number as text, "12"'))
    for name in ("rollover_percent", "rollover_limit"):
        if name in value and _decimal(value[name]) is None:
            found.append((f".{name}", 'must be a decimal string such as "50"'))
    percent = _decimal(value.get("rollover_percent", "0"))
    if percent is not None and percent > 100:
        found.append((".rollover_percent", "is above 100"))
    if percent and "rollover_months" not in value:
        found.append((".rollover_months", "is missing: for how long is it carried over?"))
    return found + [(f".scope{place}", text) for place, text in scope_problems(value.get("scope", {}))]


def scope_problems(value: object) -> list[tuple[str, str]]:
    """What is wrong with the scope of a grant: (place, message)."""
    if not isinstance(value, Mapping):
        return [("", "must be an object")]
    known = {*SCOPE_LISTS, "dimensions"}
    found = [(f".{name}", "is not known here") for name in sorted(set(map(str, value)) - known)]
    for name in SCOPE_LISTS:
        if not _texts(value.get(name, [])):
            found.append((f".{name}", "must be a list of codes"))
    dimensions = value.get("dimensions", {})
    if not isinstance(dimensions, Mapping) or not all(v and _texts(v) for v in dimensions.values()):
        found.append((".dimensions", 'must name values per dimension, {"model": ["a", "b"]}'))
    return found


def _texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(v, str) and v for v in value)


def _decimal(value: object) -> Decimal | None:
    return Decimal(value) if isinstance(value, str) and DECIMAL.match(value) else None
