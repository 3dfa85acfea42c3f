"""What the verifier reads, and what it says."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

from .hashes import length_prefixed

TAMPERED, GAP, STALE = "TAMPERED", "GAP", "STALE"
EXIT = {TAMPERED: 1, GAP: 2, STALE: 3}


class Finding(NamedTuple):
    severity: str
    name: str
    text: str


class Layout(NamedTuple):
    id: int
    table: str
    key: str
    columns: list[str]
    live_table: str
    live_key: str
    live_columns: list[str]
    since_xid: int

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(length_prefixed([self.table, self.key, *self.columns])).digest()


class Block(NamedTuple):
    n: int
    epoch: int
    kind: str
    from_xid: int
    upto_xid: int
    next_xid: int
    counted: int
    total: int
    root: str
    prev: str
    sealed_at: str
    incarnation: str
    note: str
    hash: str
    at: float

    def stretch(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """First (epoch, transaction) that it seals, and the first that it does not."""
        if self.kind == "epoch":  # what the epoch before left
            return (self.epoch - 1, self.from_xid), (self.epoch, self.upto_xid)
        return (self.epoch, self.from_xid), (self.epoch, self.upto_xid)

    def computed(self) -> str:
        return hashlib.sha256(length_prefixed([str(value) for value in self[:13]])).hexdigest()


@dataclass
class Leaves:
    """The leaves of one layout, in columns: a million take some fifty megabytes."""

    ids: array[int] = field(default_factory=lambda: array("q"))
    xids: array[int] = field(default_factory=lambda: array("q"))
    epochs: array[int] = field(default_factory=lambda: array("h"))
    hashes: bytearray = field(default_factory=bytearray)

    def hash(self, index: int) -> bytes:
        return bytes(self.hashes[32 * index : 32 * index + 32])


@dataclass
class Report:
    findings: list[Finding] = field(default_factory=list)
    blocks: int = 0
    leaves: int = 0
    rows: int = 0
    anchors: int = 0
    pending: int = 0
    oldest: float = 0.0
    guards: list[str] = field(default_factory=list)  # when they were recorded, the oldest first

    def say(self, severity: str, name: str, text: str) -> None:
        self.findings.append(Finding(severity, name, text))

    @property
    def status(self) -> int:
        return min((EXIT[f.severity] for f in self.findings), default=0)
