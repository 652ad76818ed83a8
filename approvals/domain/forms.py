"""A form of primitive fields, read from a JSON schema, and the answer that a person types into it.

Pure. The schema comes from somebody who wants an answer and is hostile; so does the posted form.
What is not plainly one of the known shapes is refused, so that nobody is shown half a question.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from approvals.domain.canonical import JSON, MAX_SAFE_INTEGER
from approvals.domain.wording import Sentence, both, say, say_many

SCHEMA_KEY: Final = "answerSchema"
LONG_TEXT: Final = 1000  # characters; where as many may be typed, there is room to type them
MAX_FIELDS: Final = 32
MAX_OPTIONS: Final = 200
MAX_NAME: Final = 200
MAX_TEXT: Final = 10_000
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

_FORMATS: Final = {
    "email": say("this must be an e-mail address"),
    "uri": say("this must be an address with its scheme"),
    "date": say("this must be a date, as in 2026-12-31"),
    "date-time": say("this must be a date and a time, as in 2026-12-31T23:59:00Z"),
}
_AT_LEAST: Final = {
    "text": both("at least {number} character", "at least {number} characters"),
    "many": both("at least {number} choice", "at least {number} choices"),
}
_AT_MOST: Final = {
    "text": both("at most {number} character", "at most {number} characters"),
    "many": both("at most {number} choice", "at most {number} choices"),
}

type Shape = Literal["text", "number", "integer", "boolean", "one", "many"]


class FormUnsupported(ValueError):
    """The schema asks for something else than primitive values; the message says where."""


class AnswerInvalid(ValueError):
    """What was typed does not fit the form. `errors` has one sentence per field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{name}: {why}" for name, why in self.errors.items()))


class _Wrong(Exception):
    """A value does not fit its field; the message is for whoever typed it."""

    def __init__(self, words: Sentence) -> None:
        self.words = words
        super().__init__(words)


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


def typed(fields: Sequence[Field], posted: Mapping[str, Sequence[str]]) -> dict[str, JSON]:
    """The values of a posted form, by field. Raises AnswerInvalid."""
    values: dict[str, JSON] = {}
    errors: dict[str, str] = {}
    for field in fields:
        found = [text for text in posted.get(field.name, ()) if text != ""]
        try:
            value = _value(field, found)
            if value is not None:
                _check(field, value)
                values[field.name] = value
            elif field.required:
                raise _Wrong(say("an answer is needed"))
        except _Wrong as wrong:
            errors[field.name] = wrong.words
    if errors:
        raise AnswerInvalid(errors)
    return values


def check_answer(fields: Sequence[Field], answer: Mapping[str, JSON]) -> None:
    """Hold values to the form. Raises AnswerInvalid."""
    known = {field.name: field for field in fields}
    errors: dict[str, str] = {
        name: say("this was not asked") for name in answer if name not in known
    }
    for name, field in known.items():
        if name not in answer:
            if field.required:
                errors[name] = say("an answer is needed")
            continue
        try:
            _check(field, answer[name])
        except _Wrong as wrong:
            errors[name] = wrong.words
    if errors:
        raise AnswerInvalid(errors)


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


def _value(field: Field, found: list[str]) -> JSON:
    if field.shape == "boolean":
        return bool(found)
    if field.shape == "many":
        return list[JSON](found) if found else None
    if not found:
        return None
    if field.shape not in ("integer", "number"):
        return found[0]
    try:
        number = json.loads(found[0].strip())
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise _Wrong(say("this must be a number"))
    return number


def _check(field: Field, value: JSON) -> None:
    allowed = [option for option, _ in field.options]
    match field.shape:
        case "boolean":
            if not isinstance(value, bool):
                raise _Wrong(say("this is yes or no"))
        case "one":
            if value not in allowed:
                raise _Wrong(say("choose one of the offered answers"))
        case "many":
            if not isinstance(value, list) or any(item not in allowed for item in value):
                raise _Wrong(say("choose among the offered answers"))
            _within(field, len(value))
        case "text":
            if not isinstance(value, str) or len(value) > MAX_TEXT:
                raise _Wrong(
                    say("this must be a text of at most {number} characters", number=MAX_TEXT)
                )
            _within(field, len(value))
            _formatted(field.format, value)
        case _:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise _Wrong(say("this must be a number"))
            whole = isinstance(value, int) or value.is_integer()
            if field.shape == "integer" and (not whole or abs(value) > MAX_SAFE_INTEGER):
                raise _Wrong(say("this must be a whole number"))
            if not math.isfinite(value):
                raise _Wrong(say("this must be a number"))
            _within(field, value)


def _within(field: Field, size: float) -> None:
    if field.least is not None and size < field.least:
        counted = _AT_LEAST.get(field.shape)
        raise _Wrong(_bound(field.least, counted) or say("at least {limit}", limit=_g(field.least)))
    if field.most is not None and size > field.most:
        counted = _AT_MOST.get(field.shape)
        raise _Wrong(_bound(field.most, counted) or say("at most {limit}", limit=_g(field.most)))


def _bound(limit: float, counted: tuple[str, str] | None) -> Sentence | None:
    return say_many(*counted, number=int(limit)) if counted is not None else None


def _g(limit: float) -> str:
    return f"{limit:g}"


def _formatted(kind: str, value: str) -> None:
    try:
        if kind == "email" and not _EMAIL.fullmatch(value):
            raise ValueError
        if kind == "uri" and not urlsplit(value).scheme:
            raise ValueError
        if kind == "date":
            date.fromisoformat(value)
        if kind == "date-time":
            datetime.fromisoformat(value)
    except ValueError:
        raise _Wrong(_FORMATS.get(kind) or say("this is not written as it should be")) from None
