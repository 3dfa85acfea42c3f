"""Comparing what a file expects with what came out: every difference by its place and line.

What is not stated is not compared. A stated list is complete: its items are compared one by one in their
order, a missing or a surplus item is a difference. So is a stated block of months or accounts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from o2c.scenarios.reading import Block, keys_of

MISSING = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as stated. `line` is where the file states it."""

    line: int
    place: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.place}: expected {self.expected}, got {self.actual}"


def differences(expected: Block, actual: Mapping[str, Any], place: str = "expect") -> list[Difference]:
    """Where `actual` is not what `expected` states."""
    found: list[Difference] = []
    for one in keys_of(type(expected)):
        stated = getattr(expected, one.attribute)
        if stated is not None:
            found += _compare(stated, actual.get(one.name), f"{place}.{one.name}", expected.at_line)
    return found


def _compare(stated: Any, actual: Any, place: str, line: int) -> list[Difference]:
    if isinstance(stated, Block):
        return differences(stated, actual, place)
    if isinstance(stated, Mapping):
        return _table(stated, actual, place, line)
    if isinstance(stated, tuple):
        return _list(stated, actual, place, line)
    if stated == actual:
        return []
    return [Difference(line, place, shown(stated), shown(actual))]


def _list(stated: Sequence[Any], actual: Sequence[Any], place: str, line: int) -> list[Difference]:
    found: list[Difference] = []
    for index in range(max(len(stated), len(actual))):
        where = f"{place}[{index + 1}]"
        if index >= len(actual):
            found.append(Difference(stated[index].at_line, where, said(stated[index]), MISSING))
        elif index >= len(stated):
            found.append(Difference(line, where, MISSING, shown(actual[index])))
        else:
            found += _compare(stated[index], actual[index], where, line)
    return found


def _table(stated: Mapping[str, Any], actual: Mapping[str, Any], place: str, line: int) -> list[Difference]:
    """Months and accounts: one that is stated as zero may be absent."""
    found: list[Difference] = []
    for name in sorted({*stated, *actual}):
        left, right = stated.get(name), actual.get(name)
        if (left or Decimal(0)) != (right or Decimal(0)):
            found.append(Difference(line, f"{place}.{name}", shown(left), shown(right)))
    return found


def said(block: Block) -> str:
    """What a block of the file states, on one line."""
    stated = {one.name: getattr(block, one.attribute) for one in keys_of(type(block))}
    return shown({name: value for name, value in stated.items() if value is not None})


def shown(value: Any) -> str:
    """A value as a person writes it in a file."""
    if value is None:
        return MISSING
    if isinstance(value, Decimal):
        exact = f"{value.normalize():f}"
        return exact if len(exact.partition(".")[2]) > 2 else f"{value:.2f}"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{name}: {shown(v)}" for name, v in value.items() if v not in (None, "")) + "}"
        )
    if isinstance(value, Block):
        return said(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    return repr(value) if isinstance(value, str) else str(value)
