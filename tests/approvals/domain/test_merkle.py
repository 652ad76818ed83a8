"""Merkle heads and inclusion proofs, against RFC 6962's recursive definition."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.domain.merkle import (
    InclusionProof,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    verify_inclusion,
)

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


@given(leaves, st.data())
def test_every_leaf_proves_its_place_and_no_other(data, draw):
    index = draw.draw(st.integers(0, len(data) - 1))
    proof = inclusion_proof(data, index)
    root = merkle_root(data)
    assert verify_inclusion(leaf=data[index], proof=proof, root=root)
    assert not verify_inclusion(leaf=data[index] + b"x", proof=proof, root=root)
    assert not verify_inclusion(leaf=data[index], proof=proof, root=leaf_hash(root))
    longer = InclusionProof(index=index, size=len(data), path=(*proof.path, b"x" * 32))
    assert not verify_inclusion(leaf=data[index], proof=longer, root=root)
    if proof.path:
        shorter = InclusionProof(index=index, size=len(data), path=proof.path[:-1])
        assert not verify_inclusion(leaf=data[index], proof=shorter, root=root)


def test_a_node_cannot_pose_as_a_leaf():
    inner = leaf_hash(b"a") + leaf_hash(b"b")
    assert merkle_root([inner]) != merkle_root([b"a", b"b"])


def test_a_place_outside_the_tree_is_refused():
    with pytest.raises(IndexError):
        inclusion_proof([b"a"], 1)
    beyond = InclusionProof(index=3, size=2, path=())
    assert not verify_inclusion(leaf=b"a", proof=beyond, root=merkle_root([b"a"]))
