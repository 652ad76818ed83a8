"""Merkle tree hashes over audit leaves, with inclusion proofs (RFC 6962 section 2.1).

Knows bytes only. Leaves and nodes hash under different prefixes, so that neither can pose as
the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf's data (32 bytes)."""
    return hashlib.sha256(b"\x00" + data).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The tree head over the leaves' data, in order; of no leaves, the hash of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    return _fold([leaf_hash(leaf) for leaf in leaves])


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """The sibling hashes from leaf `index` up to the head of a tree of `size` leaves."""

    index: int
    size: int
    path: tuple[bytes, ...]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> InclusionProof:
    """The proof that leaf `index` stands in the tree; raises IndexError."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of a tree with {len(leaves)} leaves")
    level = [leaf_hash(leaf) for leaf in leaves]
    path: list[bytes] = []
    here = index
    while len(level) > 1:
        sibling = here ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _up(level)
        here //= 2
    return InclusionProof(index=index, size=len(leaves), path=tuple(path))


def verify_inclusion(*, leaf: bytes, proof: InclusionProof, root: bytes) -> bool:
    """Whether `leaf` stands at the proof's index under `root`."""
    if not 0 <= proof.index < proof.size:
        return False
    here, last = proof.index, proof.size - 1
    found = leaf_hash(leaf)
    path = iter(proof.path)
    while last > 0:
        if here % 2 == 1 or here < last:
            sibling = next(path, None)
            if sibling is None:
                return False
            found = _node(sibling, found) if here % 2 == 1 else _node(found, sibling)
        here //= 2
        last //= 2
    return next(path, None) is None and found == root


def _fold(level: list[bytes]) -> bytes:
    while len(level) > 1:
        level = _up(level)
    return level[0]


def _up(level: list[bytes]) -> list[bytes]:
    """The next level; a node without a sibling rises unchanged, as in the RFC's split."""
    paired = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return paired + level[-1:] if len(level) % 2 else paired


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
