"""The table of arguments: all that will be sent, in the tool's own order."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.domain.canonical import canonical_bytes
from approvals.domain.inspection import argument_rows
from approvals.domain.inspection.arguments import MAX_ROWS

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-1e25, 1e25) | text,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(text, inner, max_size=6),
    max_leaves=30,
)
objects = st.dictionaries(text, values, max_size=8)


def table(value, schema=None, **options):
    return argument_rows(canonical_bytes(value), schema, **options)


def pointers(value, schema=None):
    return [row.pointer for row in table(value, schema)]


def at(value, pointer):
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def test_every_value_has_its_row_with_its_pointer_and_type():
    rows = table({"a/b": {"c~d": ["x", 1, 1.5, True, None, [], {}]}})
    assert [(row.pointer, row.value.shown, row.type) for row in rows] == [
        ("/a~1b/c~0d/0", "x", "string"),
        ("/a~1b/c~0d/1", "1", "number"),
        ("/a~1b/c~0d/2", "1.5", "number"),
        ("/a~1b/c~0d/3", "true", "boolean"),
        ("/a~1b/c~0d/4", "null", "null"),
        ("/a~1b/c~0d/5", "[]", "list"),
        ("/a~1b/c~0d/6", "{}", "object"),
    ]


def test_no_arguments_are_one_row_that_says_so():
    assert [(row.pointer, row.value.shown, row.type) for row in table({})] == [("", "{}", "object")]


def test_a_string_that_looks_like_a_number_is_told_from_one():
    assert [row.type for row in table({"a": "1", "b": 1, "c": "true"})] == [
        "string",
        "number",
        "string",
    ]


def test_numbers_are_shown_as_they_will_be_sent():
    rows = table({"a": 1e20, "b": 1e21, "c": 0.1, "d": -0.0})
    assert [row.value.shown for row in rows] == ["100000000000000000000", "1e+21", "0.1", "0"]


SCHEMA = {
    "properties": {
        "repo": {"type": "string"},
        "options": {"$ref": "#/$defs/options"},
        "files": {"items": {"properties": {"path": {}, "content": {}}}},
        "pair": {"prefixItems": [{"properties": {"z": {}, "y": {}}}]},
        "absent": {},
    },
    "$defs": {"options": {"anyOf": [{"properties": {"force": {}, "depth": {}}}, {"type": "null"}]}},
}


def test_rows_follow_the_schema_and_then_the_rest():
    value = {
        "extra": 1,
        "files": [{"content": "c", "path": "p"}],
        "options": {"aaa": 1, "depth": 1, "force": True},
        "pair": [{"y": 1, "z": 2}],
        "repo": "r",
    }
    assert pointers(value, SCHEMA) == [
        "/repo",
        "/options/force",
        "/options/depth",
        "/options/aaa",
        "/files/0/path",
        "/files/0/content",
        "/pair/0/z",
        "/pair/0/y",
        "/extra",
    ]


def test_a_row_says_whether_the_schema_knows_its_path():
    rows = {row.pointer: row.described for row in table({"repo": "r", "extra": 1}, SCHEMA)}
    assert rows == {"/repo": True, "/extra": False}


loop = {"$ref": "#/$defs/loop"}


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        "schema",
        {"properties": []},
        {"properties": {"a": 5}},
        {"$ref": 5},
        {"$ref": "#/nowhere"},
        {"$ref": "https://elsewhere.invalid/schema"},
        {"allOf": {}},
        {"allOf": [None, 5, {"properties": {"a": None}}]},
        {"$ref": "#/$defs/loop", "$defs": {"loop": loop}},
        {"properties": {"a": {"items": [1, 2]}}},
        {"properties": {"a": {"prefixItems": {}}}},
    ],
    ids=str,
)
def test_a_schema_that_is_broken_or_hostile_only_loses_its_say(schema):
    assert pointers({"a": [1]}, schema) == ["/a/0"]


@given(objects, st.lists(text, max_size=6))
def test_every_leaf_is_shown_whatever_the_schema_says(value, keys):
    rows = table(value, {"properties": {key: {"items": {}} for key in keys}})
    for row in rows:
        found = at(value, row.pointer)
        if row.type == "string":
            assert row.value.size == len(found.encode())
        else:
            assert row.value.shown == canonical_bytes(found).decode() or row.value.findings
    leaves = json.dumps(value).count("")  # an upper bound that is never zero
    assert len({row.pointer for row in rows}) == len(rows) <= leaves


@settings(max_examples=30)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 250))
def test_the_table_never_grows_beyond_its_limit_and_never_loses_a_byte(width, depth, leaves):
    value = {str(i): [{"k": list(range(leaves))}] * depth for i in range(width)}
    rows = table(value)
    assert len(rows) <= MAX_ROWS
    for row in rows:
        assert at(value, row.pointer) is not None
        if row.type != "number":
            shown = canonical_bytes(at(value, row.pointer)).decode()
            assert row.value.size == len(shown)


def test_a_large_list_is_one_row_of_json_that_is_cut_until_opened():
    value = {"ids": list(range(1000)), "name": "x"}
    (ids, name) = table(value)
    assert (ids.pointer, ids.type, ids.cut, name.cut) == ("/ids", "list", True, False)
    assert table(value).cut_pointers == ("/ids",)
    (opened, _) = table(value, opened={"/ids"})
    assert not opened.cut
    assert json.loads(opened.value.shown) == value["ids"]


def test_too_many_keys_at_the_top_are_one_row_of_json():
    (row,) = table({f"k{i}": i for i in range(MAX_ROWS + 1)})
    assert (row.pointer, row.type, row.cut) == ("", "object", True)


def test_an_endless_key_is_cut_and_blocks_as_a_value_does():
    (row,) = table({"k" * 5000: 1})
    assert row.cut
    assert row.path.size == 5001


def test_hostile_keys_are_inspected_like_values():
    rows = table({"pa\u202eth": "x\u200by", "p\u0430th": 1})
    assert [row.path.shown for row in rows] == ["/pa[U+202E]th", "/p\u0430th"]
    assert [finding.kind for finding in rows.findings] == ["bidi", "invisible", "mixed_script"]


def test_lookalikes_are_flagged_in_names_but_not_in_prose():
    rows = table({"host": "p\u0430ypal.com", "message": "Привет p\u0430ypal"})
    assert [len(row.value.findings) for row in rows] == [1, 0]


def test_the_size_is_that_of_the_exact_bytes():
    raw = canonical_bytes({"a": "ä"})
    assert argument_rows(raw).size == len(raw)
