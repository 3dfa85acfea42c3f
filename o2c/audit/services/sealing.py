"""The sealer: takes the leaves of transactions that are over, and appends a block to the chain.

One leader at a time, by an advisory lock that lasts as long as its transaction; nobody who writes ever waits
for it. A leaf is taken when its transaction id lies below that of the oldest transaction still running, so
one that commits late is never skipped, whatever ids came before it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection

from o2c.access import require
from o2c.actor import Actor, acting
from o2c.audit import fingerprints
from o2c.audit.domain import merkle
from o2c.audit.domain.blocks import EPOCH, GENESIS, SEAL, BlockBody
from o2c.audit.models import Block
from o2c.errors import Conflict

LEADER = 7_203_115_001  # the advisory lock of the sealer
LARGEST = 65_536  # a block ends after the transaction in which it grows beyond so many leaves
READ_AT_ONCE = 10_000

# `statement_timestamp` lies before the snapshot that the same statement takes.
HORIZON = """
SELECT statement_timestamp(), pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint
FROM pg_current_snapshot() s
"""
INCARNATION = """
SELECT s.system_identifier || '/' || c.timeline_id || '/' || d.oid
FROM pg_control_system() s, pg_control_checkpoint() c, pg_database d WHERE d.datname = current_database()
"""
END_OF_BLOCK = """
SELECT xid + 1 FROM audit_leaf WHERE epoch = %s AND xid >= %s AND xid < %s
ORDER BY epoch, xid, layout, row_id OFFSET %s LIMIT 1
"""
NO_END = 2**63 - 1
LEAVES = """
SELECT hash FROM audit_leaf WHERE epoch = %s AND xid >= %s AND xid < %s ORDER BY xid, layout, row_id
"""
PENDING = """
SELECT count(*), extract(epoch FROM clock_timestamp() - min(at)) FROM audit_leaf
WHERE epoch = o2c_epoch() AND xid >= coalesce((SELECT upto_xid FROM audit_block ORDER BY n DESC LIMIT 1), 0)
"""


@dataclass(frozen=True, slots=True)
class Pending:
    """What no block covers yet: how many leaves, and the age of the oldest in seconds."""

    count: int
    oldest_seconds: float


def pending() -> Pending:
    with connection.cursor() as cursor:
        cursor.execute(PENDING)
        count, oldest = cursor.fetchone()
    return Pending(count, float(oldest or 0))


def seal(*, actor: Actor, reason: str = "") -> list[Block]:
    """Seal what is over. Returns the new blocks: none when nothing waits, or another sealer is at it.

    Raises Conflict when the database is not the one that was sealed last: a restored copy begins an epoch.
    """
    sealed: list[Block] = []
    while True:
        with acting(actor, reason=reason or "seal"):
            require(actor, "audit.chain.seal")
            block = _seal_once()
        if block is not None:
            sealed.append(block)
        if block is None or block.count <= LARGEST:
            return sealed


def _seal_once() -> Block | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LEADER])
        if not cursor.fetchone()[0]:
            return None
        here = incarnation(cursor)
        head = Block.objects.order_by("-n").first()
        if head is not None and head.incarnation != here:
            raise Conflict(
                f"This database ({here}) is not the one that was sealed last ({head.incarnation})",
                record=str(head),
                remedy="After a restore: manage.py audit epoch, before anybody works (docs/operations.md)",
                code="restored",
            )
        cursor.execute(HORIZON)
        at, upto, following = cursor.fetchone()
        body = _next(head, at, upto, following, here)
        cursor.execute(END_OF_BLOCK, [body.epoch, body.from_xid, upto, LARGEST])
        full = cursor.fetchone()
        if full is not None:
            body = replace(body, upto_xid=full[0])
        count, root = _tree(body.epoch, body.from_xid, body.upto_xid)
    if not count:
        return None
    return _append(replace(body, count=count, total=body.total + count, root=root))


def _next(head: Block | None, at: dt.datetime, upto: int, following: int, here: str) -> BlockBody:
    """The block after `head`, without its leaves."""
    return BlockBody(
        n=head.n + 1 if head else 1,
        epoch=head.epoch if head else 1,
        kind=SEAL,
        from_xid=head.upto_xid if head else 0,
        upto_xid=upto,
        next_xid=following,
        count=0,
        total=head.total if head else 0,
        root=merkle.EMPTY.hex(),
        prev=head.hash if head else GENESIS,
        sealed_at=at,
        incarnation=here,
    )


def _tree(*stretch: int) -> tuple[int, str]:
    """How many leaves an epoch has from one transaction up to another, and their root; read in portions."""
    counted = 0

    def leaves() -> Iterator[bytes]:
        nonlocal counted
        with connection.chunked_cursor() as cursor:
            cursor.execute(LEAVES, stretch)
            while rows := cursor.fetchmany(READ_AT_ONCE):
                counted += len(rows)
                yield from (bytes(row[0]) for row in rows)

    root = merkle.root(leaves())
    return counted, root.hex()


def _append(body: BlockBody) -> Block:
    fields: dict[str, Any] = {name: getattr(body, name) for name in BlockBody.__dataclass_fields__}
    return Block.objects.create(**fields, hash=body.hash())


def incarnation(cursor: Any) -> str:
    """Which copy of the database this is: it differs after any restore, upgrade or failover."""
    cursor.execute(INCARNATION)
    return str(cursor.fetchone()[0])


def begin_epoch(*, actor: Actor, reason: str) -> Block:
    """Continue the chain in a restored or moved database, as the owner of the tables, before anybody works.

    Transaction ids begin anew in a copy, so leaves carry the number of their epoch. The block embeds the hash
    of the last block that the copy has, and seals what the copy held beyond it; what the copy lost shows
    against the anchors. The copy's guards are recorded anew: restoring made all of them.
    """
    block = _begin_epoch(actor, reason)
    fingerprints.record(f"epoch {block.epoch}: {reason}")
    return block


def _begin_epoch(actor: Actor, reason: str) -> Block:
    with acting(actor, reason=reason), connection.cursor() as cursor:
        require(actor, "audit.chain.continue")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LEADER])
        head = Block.objects.order_by("-n").first()
        if head is None:
            raise Conflict("Nothing was ever sealed here", remedy="No epoch is needed: start the product")
        cursor.execute(HORIZON)
        at, upto, following = cursor.fetchone()
        count, root = _tree(head.epoch, head.upto_xid, NO_END)
        body = replace(
            _next(head, at, upto, following, incarnation(cursor)),
            epoch=head.epoch + 1, kind=EPOCH, note=reason, count=count, total=head.total + count, root=root,
        )  # fmt: skip
        cursor.execute(
            "CREATE OR REPLACE FUNCTION o2c_epoch() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE"
            f" AS 'SELECT {body.epoch}'"
        )
        return _append(body)
