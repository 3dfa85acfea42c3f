"""The close's checklist: declared queries, each comparing what should be with what is, row by row.

A query yields (subject, currency, expected, actual) for one entity and period; its parameters are
%(entity)s, %(period)s (ids), %(start)s and %(end)s (the period, end exclusive). A row agrees when the
two are equal; nothing is rounded or tolerated here. What a difference means, a person explains.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

CHAPTERS = ("usage", "billing", "cash", "contracts", "balances", "books")


@dataclass(frozen=True, slots=True)
class TieOutQuery:
    """One item of the checklist. `row` is its number in section 10 of the revenue reference."""

    code: str
    row: int
    title: str
    says: str
    owner: str
    unit: str
    sql: str

    @property
    def digest(self) -> str:
        """sha256 of the query's text: which question an answer answered."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def area(self) -> str:
        return self.code.partition(".")[0]


_declared: dict[str, TieOutQuery] = {}


def tie_out(
    code: str, *, row: int, title: str, owner: str, unit: str = "amount"
) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Declare the decorated function's SQL as an item of the checklist; its docstring says what ties."""

    def declare(function: Callable[[], str]) -> Callable[[], str]:
        if code in _declared:
            raise ValueError(f"The tie-out {code!r} is declared twice: choose another code")
        _declared[code] = TieOutQuery(
            code, row, title, (function.__doc__ or "").strip(), owner, unit, function().strip()
        )
        return function

    return declare


def checklist() -> list[TieOutQuery]:
    """Every item, in the order of the reference's checklist."""
    for chapter in CHAPTERS:
        import_module(f"revenue.tieouts.{chapter}")
    return sorted(_declared.values(), key=lambda item: (item.row, item.code))


def by_code(code: str) -> TieOutQuery:
    """The item called `code`. Raises LookupError."""
    for item in checklist():
        if item.code == code:
            return item
    raise LookupError(f"The checklist has no item {code!r}")
