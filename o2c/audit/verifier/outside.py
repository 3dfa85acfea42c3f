"""What the chain is compared with: anchors, the live tables, the triggers, the clock."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import psycopg
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg import sql

from .chain import columns_of
from .report import GAP, STALE, TAMPERED, Block, Layout, Report

INCARNATION = """
SELECT s.system_identifier || '/' || c.timeline_id || '/' || d.oid
FROM pg_control_system() s, pg_control_checkpoint() c, pg_database d WHERE d.datname = current_database()
"""
PENDING = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float8 FROM audit_leaf
WHERE (epoch, xid) >= (%s, %s)
"""
ANCHORED = """
SELECT signature, subject, block_id FROM audit_anchor ORDER BY id
"""
UNANCHORED = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(sealed_at)), 0)::float8
FROM audit_block WHERE n > %s
"""
ANCHORED_WITHIN = 3600.0  # seconds; they are written every ten minutes while anything changes
TRIGGERS = """
SELECT c.relname, t.tgname, t.tgenabled::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND pg_table_is_visible(c.oid) AND t.tgname LIKE 'o2c\\_%%'
"""
HISTORY = ("o2c_history_insert", "o2c_history_update", "o2c_history_delete")


# ---------------------------------------------------------------------------------------- anchors


def read_anchors(places: list[Path], keys: list[Ed25519PublicKey], report: Report) -> list[dict[str, Any]]:
    """The anchors that a known key has signed, each once; files that differ between places are named."""
    bodies: dict[str, dict[Path, dict[str, Any]]] = defaultdict(dict)
    for place in places:
        if not place.is_dir():
            report.say(GAP, "anchor-missing", f"{place} is not there")
            continue
        for path in sorted(place.glob("block-*.json")):
            body = signed(path, keys, report)
            if body is not None:
                bodies[path.name][place] = body
    trusted = []
    for name, found in sorted(bodies.items()):
        for place in places:
            if place.is_dir() and not (place / name).exists():
                report.say(GAP, "anchor-missing", f"{name} is missing from {place}")
        if any(body != next(iter(found.values())) for body in found.values()):
            report.say(TAMPERED, "anchor-altered", f"{name} differs between {' and '.join(map(str, found))}")
        trusted += list(found.values())[:1]
    report.anchors = len(trusted)
    return trusted


def signed(path: Path, keys: list[Ed25519PublicKey], report: Report) -> dict[str, Any] | None:
    """An anchor as it was written; None when no known key has signed it."""
    try:
        content = json.loads(path.read_text())
        if verified(content, keys):
            return {"body": dict(content["body"]), "signature": content["signature"]}
    except (ValueError, KeyError, TypeError, OSError):
        pass
    report.say(TAMPERED, "anchor-altered", f"{path} is not what was signed")
    return None


def verified(content: dict[str, Any], keys: list[Ed25519PublicKey]) -> bool:
    said = json.dumps(content["body"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    for key in keys:
        try:
            key.verify(bytes.fromhex(content["signature"]), said)
        except InvalidSignature:
            continue
        return True
    return False


def check_anchors(
    connection: psycopg.Connection[Any], blocks: list[Block], anchors: list[dict[str, Any]], report: Report
) -> None:
    """The chain must hold every block that was ever anchored, as it was."""
    bodies = [anchor["body"] for anchor in anchors]
    row = connection.execute(INCARNATION).fetchone()
    here = row[0] if row else ""
    head = blocks[-1] if blocks else None
    copied = head is not None and head.incarnation != here
    if copied and head is not None:
        report.say(
            GAP, "old-copy", f"This database ({here}) is a copy of the one sealed up to block {head.n}"
        )
    by_number: dict[int, set[str]] = defaultdict(set)
    for anchor in bodies:
        by_number[anchor["n"]].add(anchor["hash"])
    chain = {block.n: block for block in blocks}
    ahead = [anchor for anchor in bodies if anchor["n"] not in chain]
    for n, hashes in sorted(by_number.items()):
        if len(hashes) > 1:
            report.say(TAMPERED, "fork", f"Block {n} was anchored with {len(hashes)} different contents")
    rewritten = [n for n, hashes in by_number.items() if n in chain and chain[n].hash not in hashes]
    if rewritten:
        first = min(rewritten)
        epochs = {anchor["epoch"] for anchor in bodies if anchor["n"] == first}
        if chain[first].epoch not in epochs:
            lost = f"block {first} was anchored in epoch {min(epochs)}, the chain is in {chain[first].epoch}"
            report.say(GAP, "old-copy", f"An older copy was continued: {lost}")
        else:
            anchored = f"block {first} is not the one that was anchored"
            report.say(TAMPERED, "chain-rewritten", f"Sealed anew from {first} or before: {anchored}")
    if ahead:
        newest = max(ahead, key=lambda anchor: int(anchor["n"]))
        total, n = (head.total, head.n) if head else (0, 0)
        lost = f"block {newest['n']} ({newest['total']} leaves) was anchored; here ends with {n} ({total})"
        older = copied or (head is not None and newest["epoch"] < head.epoch)
        report.say(GAP, "old-copy" if older else "tail-cut", f"The end of the chain is missing: {lost}")


def check_kept(connection: psycopg.Connection[Any], anchors: list[dict[str, Any]], report: Report) -> None:
    """Every anchor that was written still stands outside, and the newest is not old."""
    kept = {anchor["signature"] for anchor in anchors}
    rows = connection.execute(ANCHORED).fetchall()
    lost = [
        f"{n} ({subject})" if subject else str(n) for signature, subject, n in rows if signature not in kept
    ]
    if lost:
        named = ", ".join(lost[:5]) + (" …" if len(lost) > 5 else "")
        text = f"{len(lost)} of {len(rows)} anchors that were written stand nowhere, of blocks {named}"
        report.say(GAP, "anchor-missing", text)
    newest = max((int(anchor["body"]["n"]) for anchor in anchors), default=0)
    row = connection.execute(UNANCHORED, [newest]).fetchone()
    if row and row[1] > ANCHORED_WITHIN:
        report.say(
            STALE, "anchors-stopped", f"{row[0]} blocks are not anchored, the oldest for {row[1]:.0f} s"
            f" (limit {ANCHORED_WITHIN:.0f} s): whoever owns the database can seal them anew",
        )  # fmt: skip


# ---------------------------------------------------------------------------------------- live tables


def check_fold(connection: psycopg.Connection[Any], layouts: list[Layout], report: Report) -> None:
    """The newest history of every record is what its live table holds."""
    newest = {layout.live_table: layout for layout in layouts if layout.live_table}
    for table, layout in newest.items():
        both = columns_of(connection, table) & columns_of(connection, layout.table)
        if not both:
            continue
        kept = [column for column in layout.live_columns if column in both]
        rows = connection.execute(_fold(layout._replace(live_columns=kept))).fetchall()
        for key, problem in rows[:5]:
            report.say(TAMPERED, "live-differs", f"{table} {layout.live_key}={key} {problem}")
        if len(rows) > 5:
            report.say(TAMPERED, "live-differs", f"{table}: {len(rows) - 5} further rows")


def _fold(layout: Layout) -> sql.Composed:
    def listed(alias: str) -> sql.Composed:
        names = (
            sql.SQL("{}.{}").format(sql.Identifier(alias), sql.Identifier(c)) for c in layout.live_columns
        )
        return sql.SQL(", ").join(names)

    return sql.SQL(
        "SELECT coalesce(l.{pk}, h.{pk})::text, CASE WHEN h.{pk} IS NULL THEN 'has no history'"
        " WHEN l.{pk} IS NULL THEN 'is gone, but not in its history'"
        " WHEN h.history_type = '-' THEN 'exists, but its history says deleted'"
        " ELSE 'is not what its history says' END"
        " FROM {live} l FULL JOIN (SELECT DISTINCT ON ({pk}) * FROM {history}"
        " ORDER BY {pk}, history_id DESC) h ON h.{pk} = l.{pk}"
        " WHERE h.{pk} IS NULL OR (l.{pk} IS NULL) <> (h.history_type = '-')"
        " OR (l.{pk} IS NOT NULL AND ROW({mine}) IS DISTINCT FROM ROW({theirs}))"
    ).format(
        pk=sql.Identifier(layout.live_key), live=sql.Identifier(layout.live_table),
        history=sql.Identifier(layout.table), mine=listed("l"), theirs=listed("h"),
    )  # fmt: skip


def check_triggers(connection: psycopg.Connection[Any], layouts: list[Layout], report: Report) -> None:
    """What writes history and keeps it must be on, always."""
    state = {(table, name): enabled for table, name, enabled in connection.execute(TRIGGERS)}
    wanted = {
        ("audit_leaf", "o2c_append_only"),
        ("audit_block", "o2c_append_only"),
        ("audit_block", "o2c_block"),
    }
    for layout in layouts:
        wanted.add((layout.table, "o2c_append_only"))
        if layout.live_table:
            wanted |= {(layout.live_table, name) for name in HISTORY}
        else:
            wanted.add((layout.table, "o2c_seal_insert"))
    for table, name in sorted(wanted):
        if state.get((table, name)) != "A":
            how = {None: "is gone", "D": "is switched off"}.get(
                state.get((table, name)), "can be walked around"
            )
            report.say(TAMPERED, "trigger-off", f"{table}: {name} {how}")


def check_lag(
    connection: psycopg.Connection[Any], blocks: list[Block], stale_after: float, report: Report
) -> None:
    epoch, upto = (blocks[-1].epoch, blocks[-1].upto_xid) if blocks else (0, 0)
    row = connection.execute(PENDING, [epoch, upto]).fetchone()
    report.oldest = row[0] if row and report.pending else 0.0
    if report.oldest > stale_after:
        waits = f"{report.pending} leaves wait, the oldest for {report.oldest:.0f} s"
        report.say(STALE, "sealer-stopped", f"{waits} (limit {stale_after:.0f} s)")
