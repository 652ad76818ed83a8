"""The fields that a ticket asks people to fill in, as its page shows them.

Every word of them comes from the upstream and is shown as somebody else's: whole, because whoever
approves agrees to it, and never filled in where a field would hide a part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from approvals.domain.errors import Refusal
from approvals.domain.forms import Field
from approvals.domain.inspection import InspectedText, inspect
from approvals.presenters.words import told

PREFIX: Final = "answer-"
_INPUTS: Final = {"email": "email", "uri": "url", "date": "date"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One answer that may be chosen."""

    id: str
    value: str
    words: InspectedText
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerField:
    """One field. `kind` is text, lines, radio, checkbox (several) or tick (yes or no)."""

    id: str
    name: str
    title: InspectedText
    description: InspectedText | None
    kind: str
    input_type: str
    required: bool
    value: str
    ticked: bool
    options: tuple[Option, ...]
    error: str


def form_name(index: int) -> str:
    """The name under which a field is posted: the upstream's own names stay out of the page."""
    return f"{PREFIX}{index}"


def posted_answers(
    form: Sequence[Field], lists: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """What was posted, by the names that the form itself uses."""
    return {field.name: list(lists.get(form_name(index), ())) for index, field in enumerate(form)}


def answer_fields(
    form: Sequence[Field],
    typed: Mapping[str, Sequence[str]] | None,
    refusal: Refusal | None,
) -> tuple[AnswerField, ...]:
    """The form with what was typed before, or with the defaults that were asked for."""
    errors = refusal.details.get("errors", {}) if refusal is not None else {}
    return tuple(
        _field(form_name(index), field, typed, errors.get(field.name, ""))
        for index, field in enumerate(form)
    )


def _field(
    name: str, field: Field, typed: Mapping[str, Sequence[str]] | None, error: str
) -> AnswerField:
    chosen = list(typed.get(field.name, ())) if typed is not None else _defaults(field)
    kinds = {"one": "radio", "many": "checkbox", "boolean": "tick"}
    input_type = "text"
    if field.shape in ("number", "integer"):
        input_type = "number"
    elif field.shape == "text":
        input_type = _INPUTS.get(field.format, "text")
    return AnswerField(
        id=name,
        name=name,
        title=inspect(field.title or field.name, whole=True),
        description=inspect(field.description, whole=True) if field.description else None,
        kind="lines" if field.is_long else kinds.get(field.shape, "text"),
        input_type=input_type,
        required=field.required and field.shape != "boolean",
        value=chosen[0] if chosen else "",
        ticked=bool(chosen),
        options=tuple(
            Option(
                id=f"{name}-{at}",
                value=value,
                words=inspect(words, whole=True),
                chosen=value in chosen,
            )
            for at, (value, words) in enumerate(field.options)
        ),
        error=told(error),
    )


def _defaults(field: Field) -> list[str]:
    default = field.default
    if field.shape == "boolean":
        return ["yes"] if default is True else []
    if field.shape == "many":
        return (
            [item for item in default if isinstance(item, str)] if isinstance(default, list) else []
        )
    if isinstance(default, bool) or not isinstance(default, str | int | float):
        return []
    text = str(default)
    return [] if _hides(text) else [text]


def _hides(text: str) -> bool:
    """Whether a part of this text stands for nothing that a field shows."""
    return any(segment.is_chip for segment in inspect(text, whole=True).head)
