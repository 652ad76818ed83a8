"""Merkle heads against RFC 6962's recursive definition."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from approvals.domain.merkle import leaf_hash, merkle_root

leaves = st.lists(st.binary(max_size=4), min_size=1, max_size=40)


def by_definition(data):
    if len(data) == 1:
        return hashlib.sha256(b"\0" + data[0]).digest()
    split = 1
    while split * 2 < len(data):
        split *= 2
    return hashlib.sha256(
        b"\1" + by_definition(data[:split]) + by_definition(data[split:])
    ).digest()


@given(leaves)
def test_the_head_is_that_of_the_recursive_definition(data):
    assert merkle_root(data) == by_definition(data)


def test_the_head_of_no_leaves_is_the_hash_of_nothing():
    assert merkle_root([]) == hashlib.sha256(b"").digest()


def test_a_node_cannot_pose_as_a_leaf():
    inner = leaf_hash(b"a") + leaf_hash(b"b")
    assert merkle_root([inner]) != merkle_root([b"a", b"b"])
