"""The proof of one record: the row, its way to the root of its block, the blocks up to an anchored one.

Whoever has the proof and the public key needs nothing else: no database, no other record.
"""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg import sql

from .chain import as_row, read_blocks, read_layouts
from .hashes import leaf_hash, length_prefixed, merkle_path
from .outside import verified
from .report import Block, Report

PARTS: dict[str, type] = {
    "table": str, "key": str, "columns": list, "row_id": int, "transaction": int, "row": str, "path": list,
    "blocks": list, "anchor": dict,
}  # fmt: skip
FIND = "SELECT layout, epoch, xid FROM audit_leaf WHERE layout = ANY(%s) AND row_id = %s ORDER BY epoch, xid"
BLOCK_LEAVES = """
SELECT layout, row_id, hash FROM audit_leaf WHERE (epoch, xid) >= (%s, %s) AND (epoch, xid) < (%s, %s)
ORDER BY epoch, xid, layout, row_id
"""


def prove(
    connection: psycopg.Connection[Any], table: str, row_id: str, *, anchors: list[dict[str, Any]]
) -> dict[str, Any]:
    """Raises LookupError with a sentence when the row was never sealed, or its block not yet anchored."""
    layouts = {layout.id: layout for layout in read_layouts(connection, Report()) if layout.table == table}
    found = connection.execute(FIND, [list(layouts), int(row_id)]).fetchone()
    if found is None:
        raise LookupError(f"{table} {row_id} was never sealed")
    layout_id, epoch, xid = found
    blocks = read_blocks(connection, Report())
    inside = [b for b in blocks if b.stretch()[0] <= (epoch, xid) < b.stretch()[1]]
    anchored = {(a["body"]["n"], a["body"]["hash"]): a for a in anchors}
    later = [b for b in blocks if inside and b.n >= inside[0].n and (b.n, b.hash) in anchored]
    if not later:
        raise LookupError(f"{table} {row_id} is not in an anchored block yet")
    block, last = inside[0], later[0]
    leaves = connection.execute(BLOCK_LEAVES, [*block.stretch()[0], *block.stretch()[1]]).fetchall()
    index = next(i for i, leaf in enumerate(leaves) if leaf[:2] == (layout_id, int(row_id)))
    layout = layouts[layout_id]
    query = sql.SQL("SELECT {} FROM {} WHERE {} = %s").format(
        as_row(layout), sql.Identifier(layout.table), sql.Identifier(layout.key)
    )
    row = connection.execute(query, [int(row_id)]).fetchone()
    return {
        "table": layout.table, "key": layout.key, "columns": layout.columns, "row_id": int(row_id),
        "transaction": xid, "row": row[0] if row else None,
        "path": merkle_path([bytes(leaf[2]) for leaf in leaves], index),
        "blocks": [list(b[:14]) for b in blocks if block.n <= b.n <= last.n],
        "anchor": anchored[(last.n, last.hash)],
    }  # fmt: skip


def missing_parts(proof: Any) -> str:
    """What a file lacks to be a proof; empty when it has all, each in its form."""
    if not isinstance(proof, dict):
        return ", ".join(PARTS)
    lost = [name for name, kind in PARTS.items() if not isinstance(proof.get(name), kind)]
    if lost:
        return ", ".join(lost)
    whole = all(isinstance(fields, list) and len(fields) == 14 for fields in proof["blocks"])
    if not proof["blocks"] or not whole:
        return "its blocks"
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in proof["path"]):
        return "its path"
    body = proof["anchor"].get("body")
    if not isinstance(body, dict) or "hash" not in body or "signature" not in proof["anchor"]:
        return "its anchor"
    return ""


def check_proof(proof: dict[str, Any], keys: list[Ed25519PublicKey]) -> str:
    """What is wrong with a proof; empty when the record is what was sealed and anchored."""
    digest = hashlib.sha256(length_prefixed([proof["table"], proof["key"], *proof["columns"]])).digest()
    top = leaf_hash(digest, proof["transaction"], proof["row_id"], proof["row"].encode())
    for side, neighbour in proof["path"]:
        other = bytes.fromhex(neighbour)
        top = hashlib.sha256(b"\1" + (other + top if side == "left" else top + other)).digest()
    blocks = [Block(*[*fields, 0.0]) for fields in proof["blocks"]]
    if top.hex() != blocks[0].root:
        return "The record is not what was sealed"
    for before, block in zip([None, *blocks], blocks, strict=False):
        if block.computed() != block.hash or (before is not None and block.prev != before.hash):
            return f"Block {block.n} is not part of the chain"
    if not verified(proof["anchor"], keys):
        return "The anchor was not signed with this key"
    if proof["anchor"]["body"]["hash"] != blocks[-1].hash:
        return "The anchor is of another chain"
    return ""
