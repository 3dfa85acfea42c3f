"""The controls of the product, declared by each app in its `evidence.py`: what they hold, over which
population, and the query that performs them anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps

from o2c.access.registry import is_ours
from o2c.errors import NotFound


@dataclass(frozen=True, slots=True)
class Control:
    """One row of the risk-and-control matrix.

    `population` is SQL over %(start)s and %(end)s (half-open): every item that the control worked on,
    with its `id` first. `exceptions` is SQL over the same that performs the control anew, from the rows
    themselves and by nothing that the control uses: (id, problem) of every item that should not be.
    """

    code: str
    title: str
    risk: str
    kind: str  # preventive, detective
    enforced_by: str
    model: str  # what the items are, e.g. 'billing.Invoice'
    population: str
    exceptions: str


def controls() -> Iterator[Control]:
    """All declared controls by code."""
    found: list[Control] = []
    for config in apps.get_app_configs():
        name = f"{config.name}.evidence"
        if is_ours(config) and find_spec(name) is not None:
            found += getattr(import_module(name), "CONTROLS", [])
    yield from sorted(found, key=lambda control: control.code)


def control(code: str) -> Control:
    """Raises NotFound for a code that nobody declared."""
    known = {found.code: found for found in controls()}
    if code not in known:
        raise NotFound(f"There is no control {code!r}", remedy=f"There are {', '.join(known)}")
    return known[code]
