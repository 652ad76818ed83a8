"""Arguments through a form and back: what was not touched comes back to the byte."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.domain.argument_form import (
    FieldsUnreadable,
    argument_fields,
    arguments_from,
    json_text,
)
from approvals.domain.canonical import canonical_bytes
from approvals.domain.inspection import inspect

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def shapes(value):
    return {field.name: field.shape for field in argument_fields(canonical_bytes(value), [])}


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5))
def test_an_untouched_form_gives_the_very_bytes_back(value):
    canonical = canonical_bytes(value)
    fields = argument_fields(canonical, [])
    posted = dict(enumerate(field.shown for field in fields))
    assert arguments_from(fields, posted, read=json.loads) == canonical
    assert canonical_bytes(json.loads(json_text(canonical))) == canonical
    for field in fields:
        assert not any(part.is_chip for part in inspect(field.shown, whole=True).head), (
            "a field holds what nobody sees"
        )


def test_each_value_gets_a_field_that_can_carry_it():
    assert shapes(
        {
            "a": "x", "b": "x\ny", "c": True, "d": 1, "e": [1], "f": None, "g": "a\r\nb",
            "h": "\u202e",
        }
    ) == {
        "a": "line", "b": "text", "c": "choice", "d": "json", "e": "json", "f": "json",
        "g": "json", "h": "json",
    }  # fmt: skip


def test_fields_stand_in_the_order_of_the_page():
    fields = argument_fields(b'{"a":1,"b":2,"c":3}', ["c", "a", "c", "gone"])
    assert [field.name for field in fields] == ["c", "a", "b"]


def test_a_field_of_json_takes_one_value_and_no_more():
    fields = argument_fields(b'{"n":1,"s":"x"}', [])
    typed = arguments_from(fields, {0: "2", 1: '"quoted"'}, read=json.loads)
    assert typed == b'{"n":2,"s":"\\"quoted\\""}'
    with pytest.raises(FieldsUnreadable) as refused:
        arguments_from(fields, {0: '2,"extra":1'}, read=json.loads)
    assert set(refused.value.errors) == {0}


def test_very_many_arguments_are_edited_as_one_text():
    many = canonical_bytes({str(n): n for n in range(101)})
    assert argument_fields(many, []) == ()
