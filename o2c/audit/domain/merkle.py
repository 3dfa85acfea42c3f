"""Merkle trees of RFC 6962: one root for any number of leaves, and a short proof that one leaf is among them.

Hashes are SHA-256 digests of 32 bytes. A leaf is hashed with the prefix 0x00 where it is written (by the
database), an inner node with 0x01 here, so that no leaf can be passed off as a node.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import islice

EMPTY = hashlib.sha256(b"").digest()
NODE = b"\x01"
PORTION = 4096  # leaves, a power of two


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(NODE + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The Merkle tree hash (RFC 6962, 2.1) of leaf hashes in their order; in one pass, with the memory of
    one portion.

    >>> root([]).hex()[:16]
    'e3b0c44298fc1c14'
    """
    whole: list[tuple[int, bytes]] = []  # complete subtrees of falling size, from left to right
    remaining = iter(leaves)
    while portion := list(islice(remaining, PORTION)):
        while portion:
            size = 1 << len(portion).bit_length() - 1
            _join(whole, size, _complete(portion[:size]))
            portion = portion[size:]
    if not whole:
        return EMPTY
    top = whole.pop()[1]
    while whole:
        top = node(whole.pop()[1], top)
    return top


def _complete(level: list[bytes]) -> bytes:
    """The top of as many leaves as a power of two, level by level: twice as fast as leaf by leaf."""
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [hashlib.sha256(NODE + left + right).digest() for left, right in pairs]
    return level[0]


def _join(whole: list[tuple[int, bytes]], size: int, top: bytes) -> None:
    """Put a complete subtree to the right of the others; two of the same size become one."""
    while whole and whole[-1][0] == size:
        top = node(whole.pop()[1], top)
        size *= 2
    whole.append((size, top))


def proof(leaves: Sequence[bytes], index: int) -> list[tuple[str, bytes]]:
    """The neighbours on the way from leaf `index` to the root, lowest first: ('left'|'right', hash).

    Raises IndexError when there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"There is no leaf {index} among {len(leaves)}")
    path: list[tuple[str, bytes]] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(("right", root(leaves[middle:high])))
            high = middle
        else:
            path.append(("left", root(leaves[low:middle])))
            low = middle
    return path[::-1]


def climb(leaf: bytes, path: Iterable[tuple[str, bytes]]) -> bytes:
    """The root that a proof leads to from its leaf."""
    top = leaf
    for side, neighbour in path:
        top = node(neighbour, top) if side == "left" else node(top, neighbour)
    return top


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
