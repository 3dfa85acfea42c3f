"""The chain of seals, and its anchors. The leaves stand in `audit_leaf`, which has no model: only the
database writes it, and only sealer and verifier read it.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import RawSQL

from o2c.audit.domain.blocks import EPOCH, SEAL, BlockBody
from o2c.records import AppendOnly


class Block(AppendOnly):
    """A stretch of transactions that is sealed: how many leaves, their Merkle root, and the block before."""

    class Kind(models.TextChoices):
        SEAL = SEAL, "Seal"
        EPOCH = EPOCH, "New epoch"

    n = models.BigIntegerField(primary_key=True, help_text="1, 2, 3 … without a gap")
    epoch = models.IntegerField(help_text="Changes when the database was restored or moved")
    kind = models.CharField(max_length=5, choices=Kind.choices, default=Kind.SEAL)
    from_xid = models.BigIntegerField(help_text="First transaction")
    upto_xid = models.BigIntegerField(help_text="First transaction that is not in it any more")
    next_xid = models.BigIntegerField(help_text="First transaction that had not begun when it was sealed")
    count = models.BigIntegerField(help_text="Leaves in it")
    total = models.BigIntegerField(help_text="Leaves in the chain so far")
    root = models.CharField(max_length=64, help_text="Merkle root of its leaves, RFC 6962")
    prev = models.CharField(max_length=64, unique=True, help_text="Hash of the block before")
    hash = models.CharField(max_length=64, unique=True)
    sealed_at = models.DateTimeField()
    incarnation = models.CharField(max_length=60, help_text="Which database: system, timeline, oid")
    note = models.TextField(blank=True)

    class Guards:
        sealed = False  # the chain seals itself

    class Meta:
        ordering = ["-n"]
        constraints = [
            models.CheckConstraint(
                name="audit_block_order",
                condition=Q(n__gte=1, count__gte=0, next_xid__gte=F("upto_xid"))
                & (Q(upto_xid__gte=F("from_xid")) | Q(kind=EPOCH)),
            )
        ]

    def __str__(self) -> str:
        return f"Block {self.n}"

    @property
    def body(self) -> BlockBody:
        return BlockBody(
            n=self.n, epoch=self.epoch, kind=self.kind, from_xid=self.from_xid, upto_xid=self.upto_xid,
            next_xid=self.next_xid, count=self.count, total=self.total, root=self.root, prev=self.prev,
            sealed_at=self.sealed_at, incarnation=self.incarnation, note=self.note,
        )  # fmt: skip


class Anchor(AppendOnly):
    """A signed copy of the head of the chain, outside the database: when, of which block, where."""

    block = models.ForeignKey(Block, on_delete=models.PROTECT, related_name="anchors")
    subject = models.CharField(max_length=100, blank=True, help_text="What it was made for, e.g. a close")
    body = models.JSONField(help_text="What is signed")
    signature = models.CharField(max_length=128, help_text="Ed25519 over the canonical JSON of the body")
    key = models.CharField(max_length=64, help_text="SHA-256 of the public key")
    places = models.JSONField(default=list, help_text="Where it was written")

    class Guards:
        sealed = False  # it says what the chain says

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["subject"], condition=~Q(subject=""), name="audit_anchor_subject")]

    def __str__(self) -> str:
        return f"Anchor of block {self.block_id}"


class GuardRecord(AppendOnly):
    """The guards of the database as `migrate` installed them, told by what changed since the record before.

    Folding all records gives the fingerprint of every guard; `digest` is that of them together.
    """

    digest = models.CharField(max_length=64, help_text="SHA-256 over names and hashes of all guards")
    guards = models.PositiveIntegerField(help_text="How many there are")
    changed = models.JSONField(help_text="Name: SHA-256 of its definition, or nothing when it is gone")
    xid = models.BigIntegerField(
        db_default=RawSQL("(pg_current_xact_id()::text::bigint)", ()),
        editable=False,
        help_text="Its transaction: a guard that a later one touched was touched by somebody else",
    )

    class Guards:
        owned = True

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Guards of {self.recorded_at:%Y-%m-%d %H:%M}"
