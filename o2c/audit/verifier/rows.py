"""Every row of every sealed table against its leaf."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import psycopg
from psycopg import sql

from .chain import as_row, columns_of, copied
from .hashes import leaf_hash
from .naming import explain
from .report import GAP, TAMPERED, Block, Layout, Leaves, Report

# When a row says that it was written, and in which transaction: a fact does not say the latter.
MOMENTS = {
    "history_date": ", extract(epoch FROM history_date)::float8, history_txid",
    "recorded_at": ", extract(epoch FROM recorded_at)::float8, 0",
}
CLOCK_TOLERANCE = 60.0  # seconds by which a server's clock may have been set back


def check_rows(
    connection: psycopg.Connection[Any], layouts: list[Layout], leaves: dict[int, Leaves],
    blocks: list[Block], report: Report,
) -> None:  # fmt: skip
    """Every row of every sealed table against its leaf."""
    unknown = set(leaves) - {layout.id for layout in layouts}
    if unknown:
        report.say(TAMPERED, "layout-altered", f"{len(unknown)} layouts of leaves are not known any more")
    by_table: dict[str, list[Layout]] = defaultdict(list)
    for layout in layouts:
        by_table[layout.table].append(layout)
    for table, known in by_table.items():
        if connection.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
            report.say(GAP, "table-recreated", f"{table} is gone, with all its rows")
            continue
        ids = {row_id for layout in known for row_id in leaves[layout.id].ids}
        unsealed = 0
        for position, layout in enumerate(known):
            check_layout(connection, layout, leaves[layout.id], blocks, report)
            if position == 0:
                key = sql.Identifier(layout.key)
                rows = copied(connection, sql.SQL("SELECT {} FROM {}").format(key, sql.Identifier(table)))
                present = {int(row[0]) for row in rows}
                unsealed = len(present - ids)
                examples = ", ".join(map(str, sorted(present - ids)[:5]))
        if unsealed:
            report.say(TAMPERED, "inserted", f"{table}: {unsealed} rows without a leaf: {examples}")


def check_layout(
    connection: psycopg.Connection[Any], layout: Layout, leaves: Leaves, blocks: list[Block], report: Report
) -> None:
    if not leaves.ids:
        return
    columns = columns_of(connection, layout.table)
    if not set(layout.columns) <= columns:
        lost = ", ".join(sorted(set(layout.columns) - columns))
        report.say(GAP, "columns-dropped", f"{layout.table}: {len(leaves.ids)} rows had columns {lost}")
        return
    extra = sql.SQL(next((moment for column, moment in MOMENTS.items() if column in layout.columns), ""))
    key, table = sql.Identifier(layout.key), sql.Identifier(layout.table)
    query = sql.SQL("SELECT {}, {}{} FROM {}").format(key, as_row(layout), extra, table)
    index = {row_id: position for position, row_id in enumerate(leaves.ids)}
    if len(index) < len(leaves.ids):
        report.say(
            TAMPERED, "inserted", f"{layout.table}: {len(leaves.ids) - len(index)} rows have two leaves"
        )
    digest, bad, seen = layout.digest, [], 0
    clock = Clock(blocks)
    for row in copied(connection, query):
        row_id = int(row[0])
        position = index.get(row_id, -1)
        if position < 0:
            continue
        seen += 1
        xid = leaves.xids[position]
        if leaf_hash(digest, xid, row_id, row[1]) != leaves.hash(position):
            bad.append(position)
        elif len(row) > 2:
            said = int(row[3]) or xid
            clock.check(layout, row_id, leaves.epochs[position], xid, float(row[2]), said, report)
    report.rows += seen
    if seen == 0 or (bad and len(bad) == len(index)):
        report.say(GAP, "table-recreated", f"{layout.table}: none of its {len(index)} sealed rows is left")
        return
    if seen < len(index):
        report.say(GAP, "row-deleted", f"{layout.table}: {len(index) - seen} sealed rows are gone: "
                   f"{missing_keys(connection, layout, list(index))}")  # fmt: skip
    if bad:
        explain(connection, layout, leaves, bad, report)


def missing_keys(connection: psycopg.Connection[Any], layout: Layout, ids: list[int]) -> str:
    query = sql.SQL(
        "SELECT i FROM unnest(%s::bigint[]) i WHERE NOT EXISTS (SELECT FROM {} WHERE {} = i) LIMIT 5"
    )
    chosen = query.format(sql.Identifier(layout.table), sql.Identifier(layout.key))
    return ", ".join(str(row[0]) for row in connection.execute(chosen, [ids]))


class Clock:
    """When a transaction can have written, by the moments at which blocks were sealed."""

    def __init__(self, blocks: list[Block]) -> None:
        self.blocks = blocks

    def check(
        self, layout: Layout, row_id: int, epoch: int, xid: int, at: float, said: int, report: Report
    ) -> None:
        if xid == layout.since_xid:
            return  # was there before the table was sealed, or was written by the same migration
        text = ""
        if said != xid:
            text = f"says transaction {said}, was sealed in {xid}"
        else:
            after, before = self.bounds(epoch, xid)
            if at < after - CLOCK_TOLERANCE or at > before + CLOCK_TOLERANCE:
                text = "says a moment at which its transaction was not running"
        if text:
            report.say(TAMPERED, "back-dated", f"{layout.table} {layout.key}={row_id} {text}")

    def bounds(self, epoch: int, xid: int) -> tuple[float, float]:
        """Not before this, not after that (seconds since 1970)."""
        low, high = 0, len(self.blocks)
        while low < high:  # the first block in which this transaction was running or over
            middle = (low + high) // 2
            block = self.blocks[middle]
            if (block.epoch, block.next_xid) <= (epoch, xid):
                low = middle + 1
            else:
                high = middle
        after = self.blocks[low - 1].at if low and self.blocks[low - 1].epoch == epoch else 0.0
        before = float("inf")
        for block in self.blocks[low:]:
            if block.stretch()[1] > (epoch, xid):
                before = block.at
                break
        return after, before
