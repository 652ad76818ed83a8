"""The difference between the arguments of two calls."""

import json

from hypothesis import given
from hypothesis import strategies as st

from approvals.domain.canonical import canonical_bytes
from approvals.domain.diffing import Change, differences

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab/~", max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab/~", max_size=2), inner),
    max_leaves=12,
)
objects = st.dictionaries(st.text("ab/~", max_size=2), values)


def found(old, new, **options):
    return {
        d.pointer: d.change
        for d in differences(canonical_bytes(old), canonical_bytes(new), **options)
    }


def at(value, pointer):
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def test_paths_are_added_removed_changed_or_unchanged():
    old = {"force": False, "gone": 1, "same": "x", "deep": {"list": [1, 2]}}
    new = {"force": True, "new": 2, "same": "x", "deep": {"list": [1, 3, 4]}}
    assert found(old, new) == {
        "/deep/list/0": Change.UNCHANGED,
        "/deep/list/1": Change.CHANGED,
        "/deep/list/2": Change.ADDED,
        "/force": Change.CHANGED,
        "/gone": Change.REMOVED,
        "/new": Change.ADDED,
        "/same": Change.UNCHANGED,
    }


def test_true_and_one_differ_and_so_do_a_list_and_an_object():
    assert found({"a": True}, {"a": 1}) == {"/a": Change.CHANGED}
    assert found({"a": ["x"]}, {"a": {"0": "x"}}) == {"/a": Change.CHANGED}
    assert found({"a": []}, {"a": {}}) == {"/a": Change.CHANGED}
    assert found({"a": {}}, {"a": {}}) == {"/a": Change.UNCHANGED}


@given(objects, objects)
def test_each_difference_is_true_of_the_values_at_its_path(old, new):
    for difference in differences(canonical_bytes(old), canonical_bytes(new)):
        if difference.change is not Change.ADDED:
            assert at(old, difference.pointer) == difference.old
        if difference.change is not Change.REMOVED:
            assert at(new, difference.pointer) == difference.new
        if difference.change in {Change.CHANGED, Change.UNCHANGED}:
            same = json.dumps(difference.old, sort_keys=True) == json.dumps(
                difference.new, sort_keys=True
            )
            assert same is (difference.change is Change.UNCHANGED)


@given(objects, objects)
def test_nothing_differs_exactly_when_the_bytes_are_the_same(old, new):
    changes = set(found(old, new).values())
    assert (changes <= {Change.UNCHANGED}) is (canonical_bytes(old) == canonical_bytes(new))


@given(objects, objects, st.integers(1, 4))
def test_under_any_limit_a_difference_is_still_seen(old, new, limit):
    limited = found(old, new, limit=limit)
    assert len(limited) <= limit
    differs = any(change is not Change.UNCHANGED for change in limited.values())
    assert differs is (canonical_bytes(old) != canonical_bytes(new))


def test_numbers_beyond_the_safe_integers_are_compared_not_refused():
    assert found({"n": 1e20}, {"n": 2e20}) == {"/n": Change.CHANGED}
