"""The answer that a person types into a form, held to its fields.

Pure. What was posted is hostile, and so is the form. Says of each field in one sentence what is
wrong with it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final
from urllib.parse import urlsplit

from approvals.domain.canonical import JSON, MAX_SAFE_INTEGER
from approvals.domain.forms import Field
from approvals.domain.wording import Sentence, both, say, say_many

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
