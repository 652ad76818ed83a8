"""Holding arguments to a schema that an upstream wrote, without letting it do any harm."""

import pytest

from approvals.domain.fitting import SchemaUnusable, fit

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "pattern": "^/tmp/"},
        "depth": {"type": "integer", "minimum": 1},
        "tags": {"type": "array", "uniqueItems": True},
        "place": {"$ref": "#/$defs/place"},
    },
    "required": ["path"],
    "additionalProperties": False,
    "$defs": {"place": {"enum": ["here", "there"]}},
}


def misfits(value, schema=SCHEMA):
    return {found.pointer for found in fit(value, schema).misfits}


def test_what_fits_fits():
    assert not fit({"path": "/tmp/a", "depth": 3, "tags": [1, 2], "place": "here"}, SCHEMA).misfits
    assert not fit({"anything": 1}, None).misfits


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({}, ""),
        ({"path": "/etc"}, "/path"),
        ({"path": 5}, "/path"),
        ({"path": "/tmp/a", "depth": 0}, "/depth"),
        ({"path": "/tmp/a", "depth": 1.5}, "/depth"),
        ({"path": "/tmp/a", "tags": [1, {"a": 1}, {"a": 1.0}]}, "/tags"),
        ({"path": "/tmp/a", "place": "x"}, "/place"),
        ({"path": "/tmp/a", "a/b": 1}, ""),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(value, pointer):
    assert misfits(value) == {pointer}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://schemas.example/x.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#"},
        {"minProperties": "x"},
        {"properties": 5},
        True,
        {
            "$defs": {
                **{str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(25)},
                "25": {"type": "object"},
            },
            "$ref": "#/$defs/0",
        },
    ],
    ids=["remote", "file", "endless", "ill-typed", "no-object", "no-schema", "exponential"],
)
def test_a_hostile_schema_checks_nothing_and_reaches_nothing(schema):
    with pytest.raises(SchemaUnusable):
        fit({"a": 1}, schema)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"properties": {"a": {"pattern": "^(x+)+$"}}}, {"a": "x" * 40 + "!"}),
        ({"properties": {"a": {"pattern": "^(?:x|x)*$"}}}, {"a": "x" * 40 + "!"}),
        ({"properties": {"a": {"pattern": r"(.)\1"}}}, {"a": "b"}),
        ({"properties": {"a": {"pattern": "["}}}, {"a": "b"}),
        ({"properties": {"a": {"pattern": "^x*$"}}}, {"a": "x" * 300 + "!"}),
        ({"patternProperties": {"^(x+)+$": {"type": "string"}}}, {"x" * 40 + "!": 1}),
        (
            {"patternProperties": {"^a": {}}, "additionalProperties": False},
            {"b": 1},
        ),
    ],
)
def test_a_pattern_that_might_run_away_is_left_to_the_upstream_and_said_to_be(schema, value):
    found = fit(value, schema)
    assert found.unchecked
    assert not found.misfits


def test_a_long_list_of_misfits_and_long_words_are_cut():
    found = fit(
        {f"k{n}": "x" * 1000 for n in range(50)}, {"additionalProperties": {"maxLength": 1}}
    )
    assert len(found.misfits) == 10
    assert all(len(misfit.words) <= 301 for misfit in found.misfits)
