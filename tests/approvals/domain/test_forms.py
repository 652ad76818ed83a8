"""Which schemas are forms of primitive fields."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.domain.forms import FormUnsupported, fields_of, form_of


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": "array"},
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "object"}}},
        {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}}}},
        {"type": "object", "properties": {"a": {"type": "string", "enum": []}}},
        {"type": "object", "properties": {"a": {"type": "string", "enum": [1]}}},
        {"type": "object", "properties": {"a": {"type": "string", "minLength": "x"}}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]},
        {"type": "object", "properties": {str(n): {"type": "string"} for n in range(40)}},
    ],
)
def test_a_schema_that_is_no_plain_form_is_refused(schema: Any) -> None:
    with pytest.raises(FormUnsupported):
        fields_of(schema)
    assert form_of({"answerSchema": schema} if schema is not None else {}) == ()


@pytest.mark.parametrize(
    ("schema", "is_long"),
    [
        ({"type": "string", "maxLength": 1000}, True),
        ({"type": "string", "maxLength": 999}, False),
        ({"type": "string"}, False),
        ({"type": "string", "maxLength": 1000, "format": "email"}, False),
        ({"type": "number", "maximum": 1000}, False),
    ],
)
def test_a_text_that_may_be_long_has_room(schema: dict[str, Any], is_long: bool) -> None:
    [field] = fields_of({"type": "object", "properties": {"text": schema}})
    assert field.is_long is is_long
