"""Which columns of which table a leaf is the hash of.

A leaf outlives the code that wrote it: when a migration adds a column, rows written before keep the leaf of
the old columns. So every set of columns is a layout of its own, kept in `audit_layout` for the verifier, and
its digest is part of every leaf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import AppConfig
from django.db import connection, transaction

from o2c.audit.declarations import Declaration, declarations
from o2c.audit.domain.blocks import length_prefixed

XID = "pg_current_xact_id()::text::bigint"

# The text of a row does not depend on the session: these are set in every function that hashes.
TEXT_FORM = "SET timezone = 'UTC' SET datestyle = 'ISO, YMD'"

KNOWN = "SELECT id, table_name, key_column, columns FROM audit_layout WHERE table_name = ANY(%s)"

REMEMBER = """
INSERT INTO audit_layout (id, table_name, key_column, columns, live_table, live_key, live_columns)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """A table whose rows are sealed: its key, the columns that are hashed, and for a table of history
    the live table that it must fold to.
    """

    table: str
    key: str
    columns: tuple[str, ...]
    live_table: str = ""
    live_key: str = ""
    live_columns: tuple[str, ...] = ()

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(length_prefixed([self.table, self.key, *self.columns])).digest()

    @property
    def id(self) -> int:
        """The first 31 bits of the digest."""
        return int.from_bytes(self.digest[:4], "big") & 0x7FFFFFFF

    def insert_leaves(self, rows: str, alias: str, xid: str) -> str:
        """SQL that writes one leaf per row of `rows`: SHA-256(0x00, digest of the layout, transaction id,
        row id, text of the row). All but the last have a fixed length, and the quoting of a record's text
        is unambiguous, so no two rows give the same bytes.
        """
        q = connection.ops.quote_name
        key = f"{alias}.{q(self.key)}"
        values = ", ".join(f"{alias}.{q(column)}" for column in self.columns)
        return (
            "INSERT INTO audit_leaf (epoch, xid, layout, row_id, hash)"
            f" SELECT o2c_epoch(), {xid}, {self.id}, {key}, sha256('\\x00{self.digest.hex()}'::bytea"
            f" || int8send({xid}) || int8send({key}::bigint) || convert_to(ROW({values})::text, 'UTF8'))"
            f" FROM {rows} {alias}"
        )


def layout_of(d: Declaration) -> Layout | None:
    """What is sealed for a declared table: its history, or, of a table of facts, the rows themselves."""
    if d.history_table:
        return Layout(d.history_table, "history_id", d.sealed_columns, d.table, d.pk, d.history_columns)
    if d.append_only and d.sealed_columns:
        return Layout(d.table, d.pk, d.sealed_columns)
    return None


def layouts(app_label: str | None = None) -> Iterator[Layout]:
    for d in declarations(app_label):
        layout = layout_of(d)
        if layout is not None:
            yield layout


def register(config: AppConfig) -> None:
    """Remember the layouts of an app. Rows that a table has when it is sealed for the first time get their
    leaves now; never later, or a row smuggled in would be sealed with the rest.
    """
    wanted = list(layouts(config.label))
    if not wanted:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(KNOWN, [[layout.table for layout in wanted]])
        rows = cursor.fetchall()
        known, tables = {row[0] for row in rows}, {row[1] for row in rows}
        for layout in wanted:
            if layout.id in known:
                continue
            cursor.execute(
                REMEMBER,
                [
                    layout.id, layout.table, layout.key, list(layout.columns), layout.live_table,
                    layout.live_key, list(layout.live_columns),
                ],
            )  # fmt: skip
            if layout.table not in tables:
                cursor.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'")
                cursor.execute(layout.insert_leaves(connection.ops.quote_name(layout.table), "r", XID))
