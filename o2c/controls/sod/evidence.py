"""What the rules of kind transaction and window ask of the records: who acts now, who wrote what before.

One `Check` for every pair of acts on the two sides of a rule that a declared path connects. The database's
triggers, the answer to a person before they press a button, and the report of what happened are made of the
same checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from o2c.audit.triggers import lit, q
from o2c.controls.sod import paths
from o2c.controls.sod.declare import Act, declared
from o2c.controls.sod.functions import FUNCTIONS
from o2c.controls.sod.rules import RULES, Rule
from o2c.states import state_field


@dataclass(frozen=True)
class Check:
    """`now` may not be done by whoever did `before` on the rows that the path connects.

    `path` leads from `start` to the other model; `backwards` when `start` is the model of `before`. A window
    needs no path: whatever the record, `days` after `before`.
    """

    rule: Rule
    now_function: str
    now: Act
    before_function: str
    before: Act
    start: str = ""
    path: str = ""
    backwards: bool = False
    days: int = 0


@cache
def checks() -> tuple[Check, ...]:
    return tuple(check for rule in RULES for check in _of(rule))


def _of(rule: Rule) -> Iterator[Check]:
    acts = declared().acts
    for a in rule.a:
        for b in rule.b:
            for first in acts.get(a, ()):
                for second in acts.get(b, ()):
                    if "transaction" in rule.kinds:
                        yield from _connected(rule, b, second, a, first)
                        yield from _connected(rule, a, first, b, second)
                    if "window" in rule.kinds and paths.written(paths.model_of(first.model)).is_history:
                        yield Check(rule, b, second, a, first, days=rule.window_days)


def _connected(rule: Rule, now_function: str, now: Act, before_function: str, before: Act) -> Iterator[Check]:
    """The paths between two acts: on one record, from the later to the earlier, or the other way round."""
    known = declared()

    def made(start: str, path: str, *, backwards: bool = False) -> Check:
        return Check(rule, now_function, now, before_function, before, start, path, backwards)

    if now.model == before.model:
        yield made(now.model, "")
    for path in known.paths(now.model):
        if paths.target(now.model, path)._meta.label_lower == before.model:
            yield made(now.model, path)
    for path in known.paths(before.model, both_ways=True):
        if paths.target(before.model, path)._meta.label_lower == now.model:
            yield made(before.model, path, backwards=True)


def narrowing(act: Act, alias: str) -> list[str]:
    """SQL conditions on the row `alias` that narrow an act by columns."""
    found = []
    for column, values in act.where.items():
        named = [lit(value) for value in values if value is not None]
        either = [f"{alias}.{q(column)} IN ({', '.join(named)})"] if named else []
        either += [f"{alias}.{q(column)} IS NULL"] if None in values else []
        found.append(f"({' OR '.join(either)})")
    return found


def _state(act: Act) -> str:
    field = state_field(paths.model_of(act.model))
    return str(field.column) if field is not None else ""


def happening(act: Act, operation: str) -> str | None:
    """SQL condition on `n` (and `o`) that a statement does this act; None where the operation never does."""
    conditions = narrowing(act, "n")
    state = _state(act)
    if operation == "INSERT":
        if act.how == "move":
            return None
    elif act.how == "insert":
        return None
    elif act.how == "move":
        values = ", ".join(lit(to) for to in act.to)
        conditions += [f"n.{q(state)} IN ({values})", f"o.{q(state)} IS DISTINCT FROM n.{q(state)}"]
    elif state:
        conditions.append(f"o.{q(state)} IS NOT DISTINCT FROM n.{q(state)}")
    return " AND ".join(conditions) or "true"


def happened(act: Act, alias: str = "h") -> str:
    """SQL condition on a row of history (or a fact) that it is such an act."""
    written = paths.written(paths.model_of(act.model))
    conditions = narrowing(act, alias)
    if not written.is_history:
        return " AND ".join(conditions) or "true"
    state = _state(act)
    earlier = (
        f"(SELECT p.{q(state)} FROM {q(written.table)} p WHERE p.{q(written.key)} = {alias}.{q(written.key)}"
        f" AND p.history_id < {alias}.history_id ORDER BY p.history_id DESC LIMIT 1)"
    )
    if act.how == "insert":
        conditions.append(f"{alias}.history_type = '+'")
    elif act.how == "move":
        values = ", ".join(lit(to) for to in act.to)
        conditions += [
            f"{alias}.history_type = '~'",
            f"{alias}.{q(state)} IN ({values})",
            f"{earlier} IS DISTINCT FROM {alias}.{q(state)}",
        ]
    elif state:
        conditions.append(
            f"({alias}.history_type = '+' OR {alias}.history_type = '~'"
            f" AND {earlier} IS NOT DISTINCT FROM {alias}.{q(state)})"
        )
    else:
        conditions.append(f"{alias}.history_type IN ('+', '~')")
    return " AND ".join(conditions)


def behalf(check: Check) -> str:
    written = paths.written(paths.model_of(check.before.model))
    return f"h.{written.behalf}" if written.is_history else written.behalf


def source(check: Check, subject: str) -> str:
    """SQL after FROM: the rows `h` that the record with key `subject` goes back to."""
    written = paths.written(paths.model_of(check.before.model))
    if check.days:
        return f"{q(written.table)} h WHERE h.history_date > clock_timestamp() - interval '{check.days} days'"
    ours, theirs = ("source", "subject") if check.backwards else ("subject", "source")
    return (
        f"({paths.pairs(check.start, check.path)}) l JOIN {q(written.table)} h"
        f" ON h.{q(written.key)} = l.{theirs} WHERE l.{ours} = {subject}"
    )


def actor_column(check: Check) -> str:
    return f"h.{paths.written(paths.model_of(check.before.model)).actor}"


def sentence(check: Check) -> str:
    """'S12: whoever enters quotes … may not create invoices …' with one place for the person."""
    span = f"in the last {check.days} days" if check.days else "on this lineage"
    return (
        f"{check.rule.code}: %s did “{FUNCTIONS[check.before_function]}” {span}"
        f" and may not do “{FUNCTIONS[check.now_function]}” as well ({check.rule.risk.lower()})"
    )
