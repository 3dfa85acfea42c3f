"""What an app says about its own duties and records, in its `segregation.py`.

    FUNCTIONS = {"ORD.ENTER": ["orders.order.draft", …]}   # function of the matrix → duties of this app
    NEUTRAL = ["orders.quote.expire", …]                   # duties that no rule is about
    LINEAGE = {"orders.order": ["lines", "customer"]}      # record → paths to what it was made from
    LINKS = {"billing.invoice": [Link("ledger.accountingperiod", "…")]}   # where no relation leads there
    ACTS = {"ORD.ENTER": [Act("orders.order", "edit", {"state": ["draft"]})]}

A path is an ORM lookup from the record: `lines__segments__price`. What a function has done is read from the
history of the records named in ACTS, whoever wrote them and by whatever door.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

from django.apps import apps

from o2c.access.registry import is_ours
from o2c.errors import InvalidInput

Values = Sequence[str | None]


@dataclass(frozen=True)
class Act:
    """One way of doing what a function is about: rows of `model` that were written.

    `insert`: made. `edit`: made, or changed while their state stayed what it was. `move`: taken into one of
    the states `to`. `where` narrows by columns; None means empty.
    """

    model: str
    how: Literal["insert", "edit", "move"]
    where: Mapping[str, Values] = field(default_factory=dict)
    to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Link:
    """What else a record goes back to, where no relation of the models leads there: rows of `model`.

    `rows` is SQL after FROM, in which `s` is the record and `t` the row. A `one_way` link is asked of the
    record only: what is done to the row later is no part of it any more.
    """

    model: str
    rows: str
    one_way: bool = False

    @property
    def path(self) -> str:
        """How the link is named among the paths of its record."""
        return f"@{self.model}"


@dataclass(frozen=True)
class Segregation:
    """Everything that the installed apps declare."""

    functions: dict[str, frozenset[str]]
    neutral: frozenset[str]
    lineage: dict[str, tuple[str, ...]]
    acts: dict[str, tuple[Act, ...]]
    links: dict[str, tuple[Link, ...]]

    def paths(self, label: str, *, both_ways: bool = False) -> tuple[str, ...]:
        """What a record of `label` goes back to: relations and links; `both_ways`: none that is one-way."""
        links = (link.path for link in self.links.get(label, ()) if not (both_ways and link.one_way))
        return tuple(dict.fromkeys((*self.lineage.get(label, ()), *links)))

    def functions_of(self, duty: str) -> frozenset[str]:
        return frozenset(code for code, duties in self.functions.items() if duty in duties)


@cache
def declared() -> Segregation:
    """The declarations of every app of ours, gathered once."""
    functions: dict[str, set[str]] = {}
    neutral: set[str] = set()
    lineage: dict[str, tuple[str, ...]] = {}
    acts: dict[str, tuple[Act, ...]] = {}
    links: dict[str, tuple[Link, ...]] = {}
    for config in apps.get_app_configs():
        name = f"{config.name}.segregation"
        if not is_ours(config) or find_spec(name) is None:
            continue
        module = import_module(name)
        for code, duties in getattr(module, "FUNCTIONS", {}).items():
            functions.setdefault(code, set()).update(duties)
        neutral.update(getattr(module, "NEUTRAL", ()))
        for label, paths in getattr(module, "LINEAGE", {}).items():
            if label in lineage:
                raise InvalidInput(f"The lineage of {label} is declared twice")
            lineage[label] = tuple(paths)
        for code, listed in getattr(module, "ACTS", {}).items():
            acts[code] = (*acts.get(code, ()), *listed)
        for label, found in getattr(module, "LINKS", {}).items():
            links[label] = (*links.get(label, ()), *found)
    return Segregation(
        {k: frozenset(v) for k, v in functions.items()}, frozenset(neutral), lineage, acts, links
    )
