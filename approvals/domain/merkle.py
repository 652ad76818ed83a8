"""Merkle tree hashes over audit leaves (RFC 6962 section 2.1).

Knows bytes only. Leaves and nodes hash under different prefixes, so that neither can pose as
the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf's data (32 bytes)."""
    return hashlib.sha256(b"\x00" + data).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The tree head over the leaves' data, in order; of no leaves, the hash of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    return _fold([leaf_hash(leaf) for leaf in leaves])


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
