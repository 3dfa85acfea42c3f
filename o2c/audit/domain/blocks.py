"""What a block of the chain says, and its hash. Every field counts: none can change without the hash."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

GENESIS = "0" * 64

SEAL, EPOCH = "seal", "epoch"


def length_prefixed(texts: list[str]) -> bytes:
    """'ab', 'c' -> b'2:ab1:c': no two lists of texts give the same bytes.

    >>> length_prefixed(["ab", "c"]) != length_prefixed(["a", "bc"])
    True
    """
    parts = [text.encode() for text in texts]
    return b"".join(str(len(part)).encode() + b":" + part for part in parts)


@dataclass(frozen=True, slots=True)
class BlockBody:
    """Leaves with from_xid <= xid < upto_xid of one epoch, in the order (xid, layout, row id).

    The first block of a further epoch seals what the epoch before left: its leaves from `from_xid` on; its
    own epoch begins with `upto_xid`.
    `next_xid` is the first transaction id that had not been given out at `sealed_at`: whatever has it or a
    later one was written after that moment. `total` counts all leaves up to and with this block.
    """

    n: int
    epoch: int
    kind: str  # 'seal', or 'epoch': the first block of a further epoch
    from_xid: int
    upto_xid: int
    next_xid: int
    count: int
    total: int
    root: str
    prev: str
    sealed_at: dt.datetime
    incarnation: str
    note: str = ""

    def hash(self) -> str:
        """SHA-256 over the length-prefixed fields in the order of their declaration, hexadecimal."""
        return hashlib.sha256(length_prefixed(self.texts())).hexdigest()

    @property
    def sealed_text(self) -> str:
        return self.sealed_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def texts(self) -> list[str]:
        numbers = (self.from_xid, self.upto_xid, self.next_xid, self.count, self.total)
        head = [str(self.n), str(self.epoch), self.kind, *map(str, numbers)]
        return [*head, self.root, self.prev, self.sealed_text, self.incarnation, self.note]
