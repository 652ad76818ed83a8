"""The pinned definition: what counts changes the digest, what does not leaves it."""

import copy
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpbridge.calls.pins import definition_digest, diff_definitions, pinned_part

TOOL = {
    "name": "git_commit",
    "title": "Commit",
    "description": "Records changes",
    "inputSchema": {
        "type": "object",
        "properties": {
            "message": {"type": "string"},
            "files": {"type": "array", "items": {"$ref": "#/$defs/file"}},
        },
        "required": ["message", "files"],
        "$defs": {"file": {"properties": {"path": {}}, "required": ["path", "mode"]}},
    },
    "outputSchema": {"type": "object"},
    "annotations": {"destructiveHint": True},
}


def changed(*path, to):
    tool = copy.deepcopy(TOOL)
    place = tool
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return tool


def shuffled(value, source):
    if isinstance(value, dict):
        keys = list(value)
        source.shuffle(keys)
        return {key: shuffled(value[key], source) for key in keys}
    return value


@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_count(source):
    assert definition_digest(shuffled(TOOL, source)) == definition_digest(TOOL)
    assert diff_definitions(shuffled(TOOL, source), TOOL) == ()


def test_the_order_of_required_names_does_not_count():
    other = changed("inputSchema", "required", to=["files", "message"])
    other["inputSchema"]["$defs"]["file"]["required"].reverse()
    assert definition_digest(other) == definition_digest(TOOL)
    assert diff_definitions(TOOL, other) == ()


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (["name"], "git_commit2"),
        (["title"], "commit"),
        (["description"], "Records changes "),
        (["inputSchema", "properties", "message", "type"], "number"),
        (["inputSchema", "required"], ["message"]),
        (["inputSchema", "additional"], 1),
        (["outputSchema", "type"], "array"),
        (["annotations", "destructiveHint"], False),
        (["annotations", "destructiveHint"], 1),
        (["annotations", "readOnlyHint"], True),
    ],
)
def test_any_change_that_counts_changes_the_digest_and_is_shown(path, to):
    other = changed(*path, to=to)
    assert definition_digest(other) != definition_digest(TOOL)
    (change,) = diff_definitions(TOOL, other)
    assert change.pointer == "/" + "/".join(path)
    assert change.kind == ("changed" if change.old is not None else "added")
    (back,) = diff_definitions(other, TOOL)
    assert (back.old, back.new) == (change.new, change.old)


@pytest.mark.parametrize("key", ["default", "enum", "const", "examples"])
def test_values_inside_a_schema_keep_their_order(key):
    one = changed("inputSchema", "properties", "message", key, to={"required": ["b", "a"]})
    other = changed("inputSchema", "properties", "message", key, to={"required": ["a", "b"]})
    assert definition_digest(one) != definition_digest(other)


def test_properties_called_like_schema_words_are_still_schemas():
    def tool(order):
        inner = {"properties": {"x": {}}, "required": order}
        return changed("inputSchema", "properties", "default", to=inner)

    assert definition_digest(tool(["a", "b"])) == definition_digest(tool(["b", "a"]))


def test_null_and_absent_are_the_same_and_unpinned_fields_do_not_count():
    other = {**TOOL, "icons": [{"src": "x"}], "_meta": {"a": 1}}
    assert definition_digest(other) == definition_digest(TOOL)
    bare = {"name": "x", "title": None}
    assert definition_digest(bare) == definition_digest({"name": "x"})
    assert pinned_part(bare) == {"name": "x"}


def test_fields_cannot_be_moved_into_one_another():
    assert definition_digest({"name": "a", "title": "b"}) != definition_digest(
        {"name": "b", "title": "a"}
    )


def test_hostile_definitions_have_a_digest_or_a_refusal_and_never_a_crash():
    assert definition_digest({"name": "\ud800", "inputSchema": [1, {"required": [2, "a", None]}]})
    assert definition_digest({"inputSchema": {"required": "x", "properties": [], "$defs": 5}})
    with pytest.raises(ValueError, match="Out of range"):
        definition_digest({"name": "x", "annotations": {"a": float("nan")}})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text("ab/~", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["required", "a"]), inner)
    ),
    max_leaves=8,
)
tools = st.dictionaries(st.sampled_from(["name", "inputSchema", "annotations"]), json_values)


@given(tools, tools)
def test_two_definitions_differ_exactly_when_their_digests_do(one, other):
    same = definition_digest(one) == definition_digest(other)
    assert (diff_definitions(one, other) == ()) is same


def test_shuffling_really_shuffles():
    assert list(shuffled(TOOL, random.Random(1))) != list(TOOL)
