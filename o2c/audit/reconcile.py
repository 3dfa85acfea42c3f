"""Folding history and comparing it with the live tables: a change that history missed shows here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from o2c.audit.declarations import Declaration, declarations
from o2c.audit.triggers import q

LIMIT = 20


@dataclass(frozen=True)
class Difference:
    """One row whose newest history is not what the table holds."""

    table: str
    key: str
    problem: str


def _query(d: Declaration) -> str:
    """The names are the models' own, quoted."""
    pk = q(d.pk)
    live = ", ".join(f"l.{q(c)}" for c in d.history_columns)
    known = ", ".join(f"h.{q(c)}" for c in d.history_columns)
    return f"""
SELECT coalesce(l.{pk}, h.{pk})::text, CASE
  WHEN h.{pk} IS NULL THEN 'has no history'
  WHEN l.{pk} IS NULL THEN 'is gone, but not in its history'
  WHEN h.history_type = '-' THEN 'exists, but its history says deleted'
  ELSE 'differs from its history' END
FROM {q(d.table)} l FULL JOIN (
  SELECT DISTINCT ON ({pk}) * FROM {q(d.history_table)} ORDER BY {pk}, history_id DESC
) h ON h.{pk} = l.{pk}
WHERE h.{pk} IS NULL OR (l.{pk} IS NULL) <> (h.history_type = '-')
   OR (l.{pk} IS NOT NULL AND ROW({live}) IS DISTINCT FROM ROW({known}))
ORDER BY 1 LIMIT {LIMIT}
"""


def tracked(app_label: str | None = None) -> Iterator[Declaration]:
    return (d for d in declarations(app_label) if d.history_table)


def reconcile(app_label: str | None = None) -> list[Difference]:
    """The rows, at most twenty a table, whose folded history differs from the table; empty when sound."""
    found: list[Difference] = []
    with connection.cursor() as cursor:
        for d in tracked(app_label):
            cursor.execute(_query(d))
            found += [Difference(d.table, key, problem) for key, problem in cursor.fetchall()]
    return found
