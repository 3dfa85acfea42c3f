"""Layouts, blocks and leaves: does the chain hold together?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from .hashes import merkle_root
from .report import GAP, TAMPERED, Block, Layout, Leaves, Report

ESCAPED = dict(zip(b"ntrbfv", (b"\n", b"\t", b"\r", b"\b", b"\f", b"\v"), strict=True))


def unescaped(value: bytes) -> bytes:
    return re.sub(rb"\\(.)", lambda m: ESCAPED.get(m.group(1)[0], m.group(1)), value)


def copied(connection: psycopg.Connection[Any], query: sql.Composable) -> Iterator[list[bytes]]:
    """The rows of a query, as bytes per column."""
    with connection.cursor().copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as copy:
        for line in copy:
            values = bytes(line)[:-1].split(b"\t")
            if b"\\" in line:
                values = [unescaped(value) for value in values]
            yield values


def columns_of(connection: psycopg.Connection[Any], table: str) -> set[str]:
    """The columns that a table has now; none when it is gone."""
    query = (
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s)"
        " AND attnum > 0 AND NOT attisdropped"
    )
    return {row[0] for row in connection.execute(query, [table])}


def as_row(layout: Layout) -> sql.Composed:
    return sql.SQL("ROW({})::text").format(sql.SQL(", ").join(map(sql.Identifier, layout.columns)))


def read_layouts(connection: psycopg.Connection[Any], report: Report) -> list[Layout]:
    rows = connection.execute(
        "SELECT id, table_name, key_column, columns, live_table, live_key, live_columns, since_xid"
        " FROM audit_layout ORDER BY since, id"
    ).fetchall()
    layouts = [Layout(*row) for row in rows]
    for layout in layouts:
        if int.from_bytes(layout.digest[:4], "big") & 0x7FFFFFFF != layout.id:
            report.say(TAMPERED, "layout-altered", f"{layout.table}: what its leaves are made of was changed")
    return layouts


def read_blocks(connection: psycopg.Connection[Any], report: Report) -> list[Block]:
    """The chain, and whether it holds together."""
    rows = connection.execute(
        "SELECT n, epoch, kind, from_xid, upto_xid, next_xid, count, total, root, prev,"
        """ to_char(sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), incarnation,"""
        " note, hash, extract(epoch FROM sealed_at)::float8 FROM audit_block ORDER BY n"
    ).fetchall()
    blocks = [Block(*row) for row in rows]
    before: Block | None = None
    for block in blocks:
        n, last = (before.n, before.hash) if before else (0, "0" * 64)
        if block.n != n + 1:
            report.say(GAP, "block-missing", f"Blocks {n + 1} to {block.n - 1} are missing")
        elif block.prev != last:
            report.say(TAMPERED, "chain-broken", f"Block {block.n} does not follow block {n}")
        elif before and block.from_xid != before.upto_xid:
            report.say(TAMPERED, "chain-broken", f"Block {block.n} leaves transactions out")
        elif block.total != (before.total if before else 0) + block.counted:
            report.say(TAMPERED, "chain-broken", f"Block {block.n} does not add up")
        if block.computed() != block.hash:
            report.say(TAMPERED, "block-edited", f"Block {block.n} is not what its hash says")
        before = block
    report.blocks = len(blocks)
    return blocks


def read_leaves(
    connection: psycopg.Connection[Any], blocks: list[Block], report: Report
) -> dict[int, Leaves]:
    """Every leaf, in the order of the chain, against the count and the root of its block."""
    query = sql.SQL(
        "SELECT epoch, xid, layout, row_id, encode(hash, 'hex') FROM audit_leaf"
        " ORDER BY epoch, xid, layout, row_id"
    )
    found: dict[int, Leaves] = defaultdict(Leaves)
    head = blocks[-1] if blocks else None
    position, astray = 0, 0
    inside: list[bytes] = []
    for epoch, xid, layout, row_id, digest in copied(connection, query):
        key, leaf = (int(epoch), int(xid)), bytes.fromhex(digest.decode())
        kept = found[int(layout)]
        kept.ids.append(int(row_id))
        kept.xids.append(key[1])
        kept.epochs.append(key[0])
        kept.hashes += leaf
        report.leaves += 1
        while position < len(blocks) and key >= blocks[position].stretch()[1]:
            check_block(blocks[position], inside, report)
            position, inside = position + 1, []
        if position < len(blocks) and key >= blocks[position].stretch()[0]:
            inside.append(leaf)
        elif head is not None and key < head.stretch()[1]:
            astray += 1
        else:
            report.pending += 1
    for block in blocks[position:]:
        check_block(block, inside, report)
        inside = []
    if astray:
        report.say(TAMPERED, "back-dated", f"{astray} leaves stand in transactions that no block covers")
    return found


def check_block(block: Block, leaves: list[bytes], report: Report) -> None:
    where = f"block {block.n} (transactions {block.from_xid} to {block.upto_xid - 1})"
    if len(leaves) < block.counted:
        report.say(
            GAP, "leaf-missing", f"{where}: {block.counted - len(leaves)} of {block.counted} leaves are gone"
        )
    elif len(leaves) > block.counted:
        extra = len(leaves) - block.counted
        report.say(TAMPERED, "back-dated", f"{where}: {extra} leaves were added after it was sealed")
    elif merkle_root(leaves) != block.root:
        report.say(TAMPERED, "leaf-rewritten", f"{where}: a row and its leaf were changed together")
