"""The declared invariants, by code."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.utils.module_loading import autodiscover_modules

CODE = re.compile(r"^[a-z_]+\.[a-z0-9][a-z0-9_.-]*$")


@dataclass(frozen=True, slots=True)
class Invariant:
    """A query that must return no row. `description` says what holds, not what is wrong."""

    code: str
    description: str
    query: Callable[[], str]

    @property
    def area(self) -> str:
        return self.code.partition(".")[0]


_declared: dict[str, Invariant] = {}


def invariant(code: str, description: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Declare the decorated function's SQL as an invariant. `code` is "<app>.<what-holds>" and unique."""
    if not CODE.match(code):
        raise ValueError(f"{code!r} isn't an invariant's code: write <app>.<what-holds>, in lower case.")

    def declare(query: Callable[[], str]) -> Callable[[], str]:
        known = _declared.get(code)
        if known is not None and (known.query.__module__, known.query.__name__) != (
            query.__module__,
            query.__name__,
        ):
            raise ValueError(f"The invariant {code!r} is declared twice: choose another code.")
        _declared[code] = Invariant(code, description, query)
        return query

    return declare


def autodiscover() -> None:
    """Import invariants.py of every installed app, once."""
    autodiscover_modules("invariants")


def all_invariants(codes: list[str] | None = None) -> list[Invariant]:
    """The declared invariants by code; with `codes`, those whose code is one of them or begins with one of
    them.

    Raises ValueError for a word that selects nothing, so that a typing error doesn't look like a clean
    result.
    """
    everything = [_declared[code] for code in sorted(_declared)]
    if not codes:
        return everything
    for word in codes:
        if not any(i.code == word or i.code.startswith(f"{word}.") for i in everything):
            raise ValueError(
                f"No invariant is called {word!r} or begins with it. See `manage.py invariants list`."
            )
    return [i for i in everything if any(i.code == w or i.code.startswith(f"{w}.") for w in codes)]
