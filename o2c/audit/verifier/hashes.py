"""What is hashed, and how; written a second time, so that a mistake of the sealer shows."""

from __future__ import annotations

import hashlib
import re


def length_prefixed(texts: list[str]) -> bytes:
    return b"".join(b"%d:%b" % (len(part), part) for part in (text.encode() for text in texts))


def leaf_hash(digest: bytes, xid: int, row_id: int, text: bytes) -> bytes:
    fixed = b"\0" + digest + xid.to_bytes(8, "big", signed=True) + row_id.to_bytes(8, "big", signed=True)
    return hashlib.sha256(fixed + text).digest()


def merkle_root(level: list[bytes]) -> str:
    """RFC 6962, level by level: neighbours are joined, the odd one at the end rises."""
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        joined = [hashlib.sha256(b"\1" + left + right).digest() for left, right in pairs]
        level = joined + ([level[-1]] if len(level) % 2 else [])
    return level[0].hex()


def merkle_path(level: list[bytes], index: int) -> list[list[str]]:
    path = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(["left" if sibling < index else "right", level[sibling].hex()])
        pairs = zip(level[::2], level[1::2], strict=False)
        joined = [hashlib.sha256(b"\1" + left + right).digest() for left, right in pairs]
        level, index = joined + ([level[-1]] if len(level) % 2 else []), index // 2
    return path


def record_text(values: list[str | None]) -> bytes:
    """How PostgreSQL writes a record as text."""
    parts = []
    for value in values:
        if value is None:
            parts.append("")
        elif value == "" or re.search(r'[\s"\\(),]', value, re.ASCII):
            parts.append('"' + value.replace("\\", "\\\\").replace('"', '""') + '"')
        else:
            parts.append(value)
    return f"({','.join(parts)})".encode()
