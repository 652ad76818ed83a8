"""Which answers fit a form of primitive fields."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.domain.form_answers import AnswerInvalid, check_answer, typed
from approvals.domain.forms import fields_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Name", "minLength": 2, "maxLength": 20},
        "mail": {"type": "string", "format": "email"},
        "day": {"type": "string", "format": "date"},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "score": {"type": "number"},
        "ok": {"type": "boolean", "default": True},
        "colour": {"type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"]},
        "size": {"type": "string", "oneOf": [{"const": "s", "title": "Small"}]},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "maxItems": 1},
        "kinds": {"type": "array", "items": {"anyOf": [{"const": "x", "title": "X"}]}},
    },
    "required": ["name"],
}
POSTED = {
    "name": ["Bob"],
    "mail": ["bob@example.test"],
    "day": ["2026-02-03"],
    "age": [" 42 "],
    "score": ["1.5"],
    "ok": ["yes"],
    "colour": ["g"],
    "size": ["s"],
    "tags": ["a"],
    "kinds": ["x"],
}


def test_a_posted_form_becomes_typed_values_by_field() -> None:
    values = typed(fields_of(SCHEMA), POSTED)
    assert values == {
        "name": "Bob",
        "mail": "bob@example.test",
        "day": "2026-02-03",
        "age": 42,
        "score": 1.5,
        "ok": True,
        "colour": "g",
        "size": "s",
        "tags": ["a"],
        "kinds": ["x"],
    }
    check_answer(fields_of(SCHEMA), values)


def test_what_is_left_empty_is_left_out_and_a_box_without_a_tick_is_no() -> None:
    assert typed(fields_of(SCHEMA), {"name": ["Bob"], "mail": [""]}) == {"name": "Bob", "ok": False}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": []}, "name"),
        ({"name": ["B"]}, "name"),
        ({"name": ["B" * 21]}, "name"),
        ({"mail": ["nobody"]}, "mail"),
        ({"day": ["tomorrow"]}, "day"),
        ({"age": ["1.5"]}, "age"),
        ({"age": ["-1"]}, "age"),
        ({"age": ["many"]}, "age"),
        ({"age": ["true"]}, "age"),
        ({"age": ["1e999"]}, "age"),
        ({"score": ["NaN"]}, "score"),
        ({"colour": ["b"]}, "colour"),
        ({"tags": ["a", "b"]}, "tags"),
        ({"tags": ["c"]}, "tags"),
    ],
)
def test_what_does_not_fit_is_named_by_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(AnswerInvalid) as caught:
        typed(fields_of(SCHEMA), {**POSTED, **change})
    assert set(caught.value.errors) == {field}


def test_values_that_were_not_asked_for_are_refused() -> None:
    with pytest.raises(AnswerInvalid) as caught:
        check_answer(fields_of(SCHEMA), {"name": "Bob", "extra": 1, "age": True})
    assert set(caught.value.errors) == {"extra", "age"}
