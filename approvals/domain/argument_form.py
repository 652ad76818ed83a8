"""Arguments as the fields of a form, and a posted form as arguments. Pure.

A value that a plain field could not carry unseen and unchanged (a list, a number's spelling, a text
with characters that nobody sees) is edited as JSON, with those characters spelled out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from approvals.domain.canonical import JSON, canonical_bytes
from approvals.domain.inspection import inspect
from approvals.domain.inspection.arguments import read_canonical

MAX_FIELDS: Final = 100
SHORT_CHARS: Final = 80

type Shape = Literal["line", "text", "choice", "json"]


class FieldsUnreadable(ValueError):
    """Some fields hold no JSON; `errors` says why, by the field's place."""

    def __init__(self, errors: Mapping[int, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(self.errors.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentField:
    """One argument: how it is edited, and what the field shows at first."""

    name: str
    shape: Shape
    shown: str
    value: JSON


def argument_fields(canonical: bytes, order: Sequence[str]) -> tuple[ArgumentField, ...]:
    """The fields of canonical arguments, those named in `order` first; none where there are many.

    More than MAX_FIELDS arguments are edited as one JSON text.
    """
    value = read_canonical(canonical)
    if not isinstance(value, dict) or len(value) > MAX_FIELDS:
        return ()
    names = [*dict.fromkeys(name for name in order if name in value)]
    names += [name for name in value if name not in names]
    return tuple(_field(name, value[name]) for name in names)


def arguments_from(
    fields: Sequence[ArgumentField],
    posted: Mapping[int, str],
    *,
    read: Callable[[bytes], JSON],
) -> bytes:
    """The canonical arguments of a posted form; a field that was not touched keeps its value.

    `read` reads strict JSON and raises ValueError. Raises FieldsUnreadable, NotCanonical.
    """
    values: dict[str, JSON] = {}
    errors: dict[int, str] = {}
    for place, field in enumerate(fields):
        text = posted.get(place, field.shown)
        if text == field.shown:
            values[field.name] = field.value
        elif field.shape in ("line", "text"):
            values[field.name] = text
        else:
            try:
                values[field.name] = read(text.encode("utf-8", "surrogatepass"))
            except ValueError as problem:
                errors[place] = str(problem)
    if errors:
        raise FieldsUnreadable(errors)
    return canonical_bytes(values)


def json_text(canonical: bytes) -> str:
    """JSON to be read and edited: indented, and what nobody would see spelled out."""
    return _spelled(read_canonical(canonical))


def _field(name: str, value: JSON) -> ArgumentField:
    shape: Shape = "json"
    shown = _spelled(value)
    if isinstance(value, bool):
        shape = "choice"
    elif isinstance(value, str) and "\r" not in value and not _has_unseen(value):
        shape = "line" if len(value) <= SHORT_CHARS and "\n" not in value else "text"
        shown = value
    return ArgumentField(name=name, shape=shape, shown=shown, value=value)


def _spelled(value: JSON) -> str:
    plain = json.dumps(value, ensure_ascii=False, indent=2)
    return json.dumps(value, ensure_ascii=True, indent=2) if _has_unseen(plain) else plain


def _has_unseen(text: str) -> bool:
    """Whether a page shows a part of this text as a chip; a field could only hide it."""
    return any(segment.is_chip for segment in inspect(text, whole=True).head)
