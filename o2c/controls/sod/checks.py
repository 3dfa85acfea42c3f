"""System checks: the matrix is complete over the product's duties, and the shipped roles obey it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core import checks

from o2c.access import registry
from o2c.access.roles import SHIPPED
from o2c.controls.sod import evidence
from o2c.controls.sod.declare import declared
from o2c.controls.sod.functions import FUNCTIONS, WAITING
from o2c.controls.sod.rules import MACHINES, RULES


def register() -> None:
    checks.register(check_matrix, "access")
    checks.register(check_roles, "access")


def check_matrix(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Every duty is in a function or declared neutral; every function and act named exists; what a duty does
    shows in history.
    """
    return [*_unmapped(), *_unknown(), *_both_sides(), *_without_acts(), *_unconnected()]


def _without_acts() -> Iterator[checks.CheckMessage]:
    """A function that somebody exercises leaves rows by which a rule finds it; or nobody exercises it yet."""
    known = declared()
    for code in FUNCTIONS:
        if known.functions.get(code) and not known.acts.get(code):
            yield checks.Error(
                f"No act shows that somebody did '{code}' ({FUNCTIONS[code]})",
                hint="Name the rows that it writes in ACTS of the app's segregation.py.",
                id="sod.E007",
            )
        if not known.functions.get(code) and code not in WAITING:
            yield checks.Error(
                f"'{code}' has no duty, and nothing says why",
                hint="Name its duties in a segregation.py, or the reason in WAITING of functions.py.",
                id="sod.E008",
            )


def _unconnected() -> Iterator[checks.CheckMessage]:
    """A rule about one lineage connects every pair of its functions that the product has."""
    connected = {
        (check.rule.code, *sorted((check.now_function, check.before_function))) for check in evidence.checks()
    }
    acts = declared().acts
    for rule in RULES:
        for a, b in ((a, b) for a in rule.a for b in rule.b if "transaction" in rule.kinds):
            if acts.get(a) and acts.get(b) and (rule.code, *sorted((a, b))) not in connected:
                yield checks.Error(
                    f"{rule.code} cannot find both sides on one lineage: nothing leads from {b} to {a}",
                    hint="Name the path in LINEAGE, or in LINKS where no relation leads there.",
                    id="sod.E009",
                )


def _unmapped() -> Iterator[checks.CheckMessage]:
    known = declared()
    mapped = set().union(*known.functions.values()) if known.functions else set()
    for code in registry.known():
        reading = code.endswith(".read") and code.count(".") == 1
        if not reading and code not in mapped and code not in known.neutral:
            yield checks.Error(
                f"The duty '{code}' is in no function of the segregation matrix",
                hint="Name it in the app's segregation.py: in FUNCTIONS, or in NEUTRAL with the reason.",
                id="sod.E001",
            )
    for code in sorted(mapped & known.neutral):
        yield checks.Error(f"The duty '{code}' is in the matrix and neutral at once", id="sod.E002")


def _unknown() -> Iterator[checks.CheckMessage]:
    known = declared()
    for code in sorted((set(known.functions) | set(known.acts)) - set(FUNCTIONS)):
        yield checks.Error(
            f"There is no function '{code}'", hint="Functions: o2c/controls/sod/functions.py.", id="sod.E003"
        )
    named = {duty for duties in known.functions.values() for duty in duties} | known.neutral
    for code in sorted(named - set(registry.known())):
        yield checks.Error(f"A segregation.py names the duty '{code}', which no app declares", id="sod.E004")


def _both_sides() -> Iterator[checks.CheckMessage]:
    """A duty on both sides of a rule would refuse itself."""
    functions = declared().functions
    for rule in RULES:
        a = set().union(*(functions.get(code, frozenset()) for code in rule.a))
        b = set().union(*(functions.get(code, frozenset()) for code in rule.b))
        for duty in sorted(a & b):
            yield checks.Error(f"The duty '{duty}' is on both sides of {rule.code}", id="sod.E005")


def conflicts_within(duties: set[str]) -> list[tuple[str, str, str]]:
    """(rule, first duty, second duty) for each rule of kind grant that one set of duties breaks."""
    functions = declared().functions
    found = []
    for rule in RULES:
        if "grant" not in rule.kinds:
            continue
        a = sorted(duties & set().union(*(functions.get(code, frozenset()) for code in rule.a)))
        b = sorted(duties & set().union(*(functions.get(code, frozenset()) for code in rule.b)))
        if a and b:
            found.append((rule.code, a[0], b[0]))
    return found


def check_roles(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """No shipped role holds both sides of a rule; a machine's role only where its mitigation is written."""
    from o2c.access.services.roles import duties_for

    return [
        checks.Error(
            f"The shipped role {role.code} breaks {rule}: it holds {first} and {second}",
            hint="Give one of them to another role in ROLE_DUTIES.",
            id="sod.E006",
        )
        for role in SHIPPED
        for rule, first, second in conflicts_within(duties_for(role))
        if not {rule, "*"} & set(MACHINES.get(role.code, {}))
    ]
