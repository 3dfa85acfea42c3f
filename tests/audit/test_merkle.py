"""Merkle trees against the test vectors of Certificate Transparency (RFC 6962), and their proofs."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2c.audit.domain import merkle
from o2c.audit.domain.blocks import length_prefixed
from o2c.audit.verifier import hashes

# The eight inputs, and the roots of the first n of them, of google/certificate-transparency's merkle tests.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [hashlib.sha256(b"\0" + bytes.fromhex(text)).digest() for text in INPUTS]


@pytest.mark.parametrize("count", range(9))
def test_roots_are_those_of_the_standard(count: int) -> None:
    assert merkle.root(LEAVES[:count]).hex() == ROOTS[count]
    assert hashes.merkle_root(LEAVES[:count]) == ROOTS[count]


@given(st.integers(1, 70), st.integers(0, 69))
def test_a_proof_leads_from_its_leaf_to_the_root_and_from_no_other(count: int, chosen: int) -> None:
    leaves = [hashlib.sha256(b"%d" % number).digest() for number in range(count)]
    index = chosen % count
    path = merkle.proof(leaves, index)

    assert merkle.climb(leaves[index], path) == merkle.root(leaves)
    assert merkle.climb(hashlib.sha256(leaves[index]).digest(), path) != merkle.root(leaves)
    assert [[side, other.hex()] for side, other in path] == hashes.merkle_path(leaves, index)
    assert hashes.merkle_root(leaves) == merkle.root(leaves).hex()


@pytest.mark.parametrize("count", [4095, 4096, 4097, 3 * 4096, 3 * 4096 + 1537])
def test_a_tree_of_several_portions_has_the_root_of_the_whole(count: int) -> None:
    leaves = [hashlib.sha256(b"%d" % number).digest() for number in range(count)]
    assert merkle.root(iter(leaves)).hex() == hashes.merkle_root(leaves)


@given(st.lists(st.text(), max_size=5), st.lists(st.text(), max_size=5))
def test_no_two_lists_have_the_same_bytes(one: list[str], other: list[str]) -> None:
    assert (length_prefixed(one) == length_prefixed(other)) == (one == other)
    assert length_prefixed(one) == hashes.length_prefixed(one)
