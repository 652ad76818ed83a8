"""A form of primitive fields, read from a JSON schema.

Pure. The schema comes from somebody who wants an answer and is hostile. What is not plainly one of
the known shapes is refused, so that nobody is shown half a question.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from approvals.domain.canonical import JSON

SCHEMA_KEY: Final = "answerSchema"
LONG_TEXT: Final = 1000  # characters; where as many may be typed, there is room to type them
MAX_FIELDS: Final = 32
MAX_OPTIONS: Final = 200
MAX_NAME: Final = 200

type Shape = Literal["text", "number", "integer", "boolean", "one", "many"]


class FormUnsupported(ValueError):
    """The schema asks for something else than primitive values; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value that is asked for. `options` are (value, words) of a choice."""

    name: str
    shape: Shape
    title: str = ""
    description: str = ""
    required: bool = False
    format: str = ""
    least: float | None = None
    most: float | None = None
    options: tuple[tuple[str, str], ...] = ()
    default: JSON = None

    @property
    def is_long(self) -> bool:
        """Whether several lines may be typed."""
        return (
            self.shape == "text"
            and not self.format
            and self.most is not None
            and self.most >= LONG_TEXT
        )


def fields_of(schema: object) -> tuple[Field, ...]:
    """The fields in the schema's order. Raises FormUnsupported."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise FormUnsupported("the form is not an object of fields")
    properties, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(properties, dict) or not 0 < len(properties) <= MAX_FIELDS:
        raise FormUnsupported(f"a form has 1 to {MAX_FIELDS} fields")
    if not isinstance(required, list) or not set(map(str, required)) <= set(properties):
        raise FormUnsupported("a field is required that does not exist")
    return tuple(_field(name, sub, name in required) for name, sub in properties.items())


def form_in(definition: object) -> tuple[Field, ...]:
    """The form that a ticket's definition asks people to fill in; empty where it asks nothing."""
    schema = definition.get(SCHEMA_KEY) if isinstance(definition, dict) else None
    return fields_of(schema) if schema is not None else ()


def form_of(definition: object) -> tuple[Field, ...]:
    """As `form_in`, for pages: a form that cannot be read is none."""
    try:
        return form_in(definition)
    except FormUnsupported:
        return ()


def _field(name: str, sub: object, required: bool) -> Field:  # noqa: FBT001 (one caller)
    if not isinstance(sub, dict) or not 0 < len(name) <= MAX_NAME:
        raise FormUnsupported(f"the field {name[:80]!r} cannot be read")
    words = {key: sub[key] for key in ("title", "description") if isinstance(sub.get(key), str)}
    common: dict[str, Any] = {"name": name, "required": required, "default": sub.get("default")}
    common |= words
    match sub.get("type"):
        case "string" if "enum" in sub or "oneOf" in sub:
            return Field(shape="one", options=_options(name, sub), **common)
        case "string":
            kind = sub.get("format", "")
            return Field(
                shape="text",
                format=kind if isinstance(kind, str) else "",
                least=_limit(name, sub, "minLength"),
                most=_limit(name, sub, "maxLength"),
                **common,
            )
        case "integer" | "number" as shape:
            return Field(
                shape="integer" if shape == "integer" else "number",
                least=_limit(name, sub, "minimum"),
                most=_limit(name, sub, "maximum"),
                **common,
            )
        case "boolean":
            return Field(shape="boolean", **common)
        case "array" if isinstance(sub.get("items"), dict):
            return Field(
                shape="many",
                options=_options(name, sub["items"]),
                least=_limit(name, sub, "minItems"),
                most=_limit(name, sub, "maxItems"),
                **common,
            )
    raise FormUnsupported(f"the field {name[:80]!r} is no text, number, yes-or-no or choice")


def _options(name: str, sub: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    listed, words = sub.get("enum"), sub.get("enumNames")
    if isinstance(listed, list):
        named = words if isinstance(words, list) and len(words) == len(listed) else listed
        pairs = list(zip(listed, named, strict=True))
    else:
        titled = sub.get("oneOf", sub.get("anyOf"))
        pairs = [
            (item.get("const"), item.get("title", item.get("const")))
            for item in (titled if isinstance(titled, list) else ())
            if isinstance(item, dict)
        ]
    if not 0 < len(pairs) <= MAX_OPTIONS or not all(
        isinstance(value, str) and isinstance(word, str) for value, word in pairs
    ):
        raise FormUnsupported(f"the choice {name[:80]!r} does not list texts")
    return tuple((str(value), str(word)) for value, word in pairs)


def _limit(name: str, sub: Mapping[str, Any], key: str) -> float | None:
    limit = sub.get(key)
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not math.isfinite(limit):
        raise FormUnsupported(f"the field {name[:80]!r} has a {key} that is no number")
    return limit
