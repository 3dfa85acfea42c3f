"""What was done to a row that is not what was sealed.

A leaf is a hash and cannot be turned back. But what is likely can be tried: the value that another version of
the same record has, the actor of other rows, the contents of another row that is wrong too. What gives the
sealed hash is what was there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from .hashes import leaf_hash, record_text
from .report import TAMPERED, Layout, Leaves, Report

EXPLAINED = 50  # rows of a table for which it is tried
ACTOR_COLUMNS = ("history_user_id", "history_actor", "history_on_behalf_of_id")

Values = list[str | None]


def explain(
    connection: psycopg.Connection[Any], layout: Layout, leaves: Leaves, bad: list[int], report: Report
) -> None:
    rows = {p: values(connection, layout, leaves.ids[p]) for p in bad[:EXPLAINED]}
    actors = actors_of(connection, layout)
    for position, row in rows.items():
        sealed = Sealed(layout, leaves.xids[position], leaves.ids[position], leaves.hash(position))
        others = [(leaves.ids[p], other) for p, other in rows.items() if p != position]
        candidates = versions(connection, layout, row)
        name, text = sealed.explain(row, others, actors, candidates)
        report.say(TAMPERED, name, f"{layout.table} {layout.key}={sealed.row_id} {text}")
    if len(bad) > EXPLAINED:
        report.say(TAMPERED, "edited", f"{layout.table}: {len(bad) - EXPLAINED} further rows")


class Sealed:
    """One row as it was sealed: only its hash is known."""

    def __init__(self, layout: Layout, xid: int, row_id: int, leaf: bytes) -> None:
        self.layout, self.xid, self.row_id, self.leaf = layout, xid, row_id, leaf

    def was(self, row: Values) -> bool:
        return leaf_hash(self.layout.digest, self.xid, self.row_id, record_text(row)) == self.leaf

    def explain(
        self, row: Values, others: list[tuple[int, Values]], actors: list[Values], versions: list[Values]
    ) -> tuple[str, str]:
        columns = self.layout.columns
        for other_id, other in others:
            if self.was(self._mine(other, row, ("history_txid",))) or self.was(self._mine(other, row, ())):
                return "swapped", f"stands in row {other_id}, and holds another row"
        for actor in actors:
            tried = list(row)
            for column, value in zip(ACTOR_COLUMNS, actor, strict=True):
                tried[columns.index(column)] = value
            if self.was(tried):
                now = row[columns.index("history_actor")]
                return "actor-changed", f"was written by {actor[1]!r}, says {now!r}"
        for position, column in enumerate(columns):
            for value in {version[position] for version in versions} | {None}:
                if value != row[position] and self.was([*row[:position], value, *row[position + 1 :]]):
                    return "edited", f"{column} was {value!r}, reads {row[position]!r}"
        return "edited", "is not what was sealed"

    def _mine(self, other: Values, row: Values, kept: tuple[str, ...]) -> Values:
        """The contents of another row under the key of this one."""
        keeps = {self.layout.key, *kept}
        return [
            mine if column in keeps else theirs
            for column, mine, theirs in zip(self.layout.columns, row, other, strict=True)
        ]


def values(connection: psycopg.Connection[Any], layout: Layout, row_id: int) -> Values:
    rows = list(_texts(connection, layout, sql.SQL("{} = %s").format(sql.Identifier(layout.key)), [row_id]))
    return rows[0]


def versions(connection: psycopg.Connection[Any], layout: Layout, row: Values) -> list[Values]:
    """Other rows that may still hold the old value: versions of the same record, or neighbours of a fact."""
    if layout.live_table:
        record = row[layout.columns.index(layout.live_key)]
        where = sql.SQL("{}::text = %s LIMIT 200").format(sql.Identifier(layout.live_key))
        return list(_texts(connection, layout, where, [record]))
    key = row[layout.columns.index(layout.key)]
    where = sql.SQL("{0} BETWEEN %s::bigint - 20 AND %s::bigint + 20").format(sql.Identifier(layout.key))
    return list(_texts(connection, layout, where, [key, key]))


def actors_of(connection: psycopg.Connection[Any], layout: Layout) -> list[Values]:
    """Everybody who wrote into the table, as the columns of the actor say it."""
    if not set(ACTOR_COLUMNS) <= set(layout.columns):
        return []
    query = sql.SQL("SELECT DISTINCT {} FROM {} LIMIT 5000").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(c)) for c in ACTOR_COLUMNS),
        sql.Identifier(layout.table),
    )
    return [list(row) for row in connection.execute(query)]


def _texts(
    connection: psycopg.Connection[Any], layout: Layout, where: sql.Composable, parameters: list[Any]
) -> Iterator[Values]:
    columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(c)) for c in layout.columns)
    query = sql.SQL("SELECT {} FROM {} WHERE {}").format(columns, sql.Identifier(layout.table), where)
    for row in connection.execute(query, parameters):
        yield list(row)
