"""What is different from the last call of the same agent and tool that people approved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.translation import gettext, ngettext

from approvals.domain.canonical import JSON, canonical_bytes
from approvals.domain.diffing import Change, Difference, value_differences
from approvals.domain.inspection import ArgumentTable, InspectedText, inspect
from approvals.domain.inspection.arguments import read_canonical
from approvals.presenters.words import byte_size, figure

VALUE_CHARS: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceRow:
    """One path that differs; the side that is absent is None."""

    path: InspectedText
    old: InspectedText | None
    new: InspectedText | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """All that differs, and in words what does not."""

    rows: tuple[DifferenceRow, ...]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceView:
    """The changes since an earlier ticket."""

    number: int
    url: str
    at: datetime
    changes: Changes


def changes_between(old: bytes, new: bytes | ArgumentTable) -> Changes:
    """What differs between canonical argument bytes, or a table read from them."""
    after = new.value if isinstance(new, ArgumentTable) else read_canonical(new)
    found = value_differences(read_canonical(old), after)
    rows = tuple(_row(part) for part in found if part.change is not Change.UNCHANGED)
    same = sum(part.change is Change.UNCHANGED for part in found)
    if not rows:
        words = gettext("Nothing: the arguments are the same, byte for byte.")
    elif same:
        words = ngettext(
            "{number} other value unchanged.", "{number} other values unchanged.", same
        ).format(number=figure(same))
    else:
        words = gettext("No value is unchanged.")
    return Changes(rows=rows, words=words)


def _row(part: Difference) -> DifferenceRow:
    return DifferenceRow(
        path=inspect(part.pointer or "/", identifier_like=True),
        old=None if part.change is Change.ADDED else _value(part.old, part.new),
        new=None if part.change is Change.REMOVED else _value(part.new, part.old),
    )


def _value(value: JSON, other: JSON) -> InspectedText:
    """A value, short: of two long texts the part around the first place where they part."""
    text = _text(value)
    if len(text) > VALUE_CHARS:
        start = max(0, _parting(text, _text(other)) - 40)
        piece = text[start : start + VALUE_CHARS]
        left = "… " if start else ""
        right = " …" if start + VALUE_CHARS < len(text) else ""
        size = len(text.encode("utf-8", "surrogatepass"))
        text = f"{left}{piece}{right} ({byte_size(size)})"
    return inspect(text or gettext("empty text"), identifier_like=True)


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else canonical_bytes(value).decode()


def _parting(one: str, other: str) -> int:
    """The first place where two texts differ."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
