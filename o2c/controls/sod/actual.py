"""Who did both: not who could, but who has, read from history, with the records.

On one lineage it is a violation; on different records a habit. Both are reported, apart.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from django.db.backends.utils import CursorWrapper

from o2c.audit.triggers import lit, q
from o2c.controls.sod import evidence, paths
from o2c.controls.sod.declare import Act, declared
from o2c.controls.sod.evidence import Check
from o2c.controls.sod.rules import RULES, Rule

LIMIT = 200


@dataclass(frozen=True)
class Violation:
    """One person did both sides of a rule on one lineage."""

    rule: str
    username: str
    first: str
    first_record: str
    second: str
    second_record: str
    excepted: bool


@dataclass(frozen=True)
class Habit:
    """One person did both sides of a rule, on whatever records: so often each."""

    rule: str
    username: str
    first: int
    second: int


def violations(since: dt.datetime) -> list[Violation]:
    """Both sides on one lineage, the later of them since then; at most two hundred for each pair of acts."""
    found: dict[tuple[str, str, str, str], Violation] = {}
    with connection.cursor() as cursor:
        for check in evidence.checks():
            if check.days:
                continue
            cursor.execute(_violation_query(check), {"since": since})
            for now_pk, before_pk, who, excepted in cursor.fetchall():
                row = Violation(
                    check.rule.code,
                    who,
                    check.before_function,
                    f"{check.before.model}:{before_pk}",
                    check.now_function,
                    f"{check.now.model}:{now_pk}",
                    excepted,
                )
                found.setdefault((row.rule, who, *sorted((row.first_record, row.second_record))), row)
    return sorted(found.values(), key=lambda row: (row.rule, row.username, row.second_record))


def habits(since: dt.datetime) -> list[Habit]:
    """Both sides since then, on any records."""
    found = []
    with connection.cursor() as cursor:
        for rule in RULES:
            sides = [_side(rule, side, cursor, since) for side in ("a", "b")]
            for who in sorted(sides[0].keys() & sides[1].keys()):
                found.append(Habit(rule.code, who, sides[0][who], sides[1][who]))
    return found


def last_done(people: Iterable[int]) -> dict[tuple[int, str], dt.datetime]:
    """(user, function) → when they last did it by their own hand. One query for each function."""
    wanted = sorted(people)
    found: dict[tuple[int, str], dt.datetime] = {}
    with connection.cursor() as cursor:
        for code, acts in sorted(declared().acts.items()):
            cursor.execute(" UNION ALL ".join(_last_query(act) for act in acts), {"people": wanted})
            for user_id, at in cursor.fetchall():
                found[user_id, code] = max(at, found.get((user_id, code), at))
    return found


def _last_query(act: Act) -> str:
    w = paths.written(paths.model_of(act.model))
    return (
        f"SELECT h.{w.actor}, max({_when(w.is_history)}) FROM {q(w.table)} h"
        f" WHERE h.{w.actor} = ANY(%(people)s) AND {evidence.happened(act)} GROUP BY 1"
    )


def _internal() -> str:
    from o2c.access.services.accounts import INTERNAL_ACCOUNTS

    return f"u.username NOT IN ({', '.join(lit(name) for name in sorted(INTERNAL_ACCOUNTS))})"


def _side(rule: Rule, side: str, cursor: CursorWrapper, since: dt.datetime) -> dict[str, int]:
    acts = [act for code in getattr(rule, side) for act in declared().acts.get(code, ())]
    if not acts:
        return {}
    parts = " UNION ALL ".join(_count_query(act) for act in acts)
    cursor.execute(f"SELECT who, sum(n)::bigint FROM ({parts}) x GROUP BY who", {"since": since})
    return dict(cursor.fetchall())


# The person: the human, the machine, or the machine's owner, whoever answers.
BEHIND = """
SELECT coalesce(o.id, u.id) AS id, coalesce(o.username, u.username) AS name
FROM access_user u LEFT JOIN access_user o ON o.id = u.owner_id AND o.is_active WHERE {internal} AND u.id IN
"""


def _behind(actor: str, behalf: str) -> str:
    return f"{BEHIND.format(internal=_internal())} ({actor}, {behalf})"


def _count_query(act: Act) -> str:
    w = paths.written(paths.model_of(act.model))
    behalf = f"h.{w.behalf}" if w.is_history else w.behalf
    return (
        f"SELECT one.name AS who, count(DISTINCT h.{q(w.key)}) AS n FROM {q(w.table)} h"
        f" CROSS JOIN LATERAL ({_behind(f'h.{w.actor}', behalf)}) AS one"
        f" WHERE {_when(w.is_history)} >= %(since)s AND {evidence.happened(act)} GROUP BY 1"
    )


def _when(is_history: bool, alias: str = "h") -> str:
    return f"{alias}.history_date" if is_history else f"{alias}.recorded_at"


def _violation_query(check: Check) -> str:
    """(record now, record before, who, under an exception) by the names of the models themselves."""
    now, before = (paths.written(paths.model_of(act.model)) for act in (check.now, check.before))
    ours, theirs = ("source", "subject") if check.backwards else ("subject", "source")
    now_behalf = f"n.{now.behalf}" if now.is_history else now.behalf
    later = f"{_when(now.is_history, 'n')} >= {_when(before.is_history)}"
    actor, behalf = evidence.actor_column(check), evidence.behalf(check)
    return f"""
SELECT DISTINCT n.{q(now.key)}, h.{q(before.key)}, one.name, EXISTS (
    SELECT 1 FROM sod_sodexception e JOIN sod_sodrule r ON r.id = e.rule_id
    WHERE r.code = {lit(check.rule.code)} AND e.user_id = one.id AND e.state IN ('approved', 'ended')
      AND {_when(now.is_history, "n")} >= e.valid_from AND {_when(now.is_history, "n")} < e.valid_to)
FROM {q(now.table)} n
JOIN ({paths.pairs(check.start, check.path)}) l ON l.{ours} = n.{q(now.key)}
JOIN {q(before.table)} h ON h.{q(before.key)} = l.{theirs}
CROSS JOIN LATERAL ({_behind(f"n.{now.actor}", now_behalf)}) AS one
CROSS JOIN LATERAL ({_behind(actor, behalf)}) AS two
WHERE one.id = two.id AND {_when(now.is_history, "n")} >= %(since)s AND {later}
  AND NOT EXISTS (SELECT 1 FROM access_rolegrant g JOIN access_role ro ON ro.id = g.role_id
    JOIN sod_machinemitigation m ON m.role = ro.code AND m.rule IN ({lit(check.rule.code)}, '*')
    WHERE g.user_id = n.{now.actor})
  AND {evidence.happened(check.now, "n")} AND {evidence.happened(check.before)}
LIMIT {LIMIT}
"""
