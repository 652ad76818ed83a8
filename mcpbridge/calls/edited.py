"""What an agent is told of a reviewer's edit: where its arguments changed, and to what. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from mcpbridge.calls.strict_json import JSON

MAX_POINTERS: Final = 20
MAX_SHOWN: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A reviewer replaced the arguments; None and nothing where what they were is not kept.

    `pointers` (JSON pointers) say where they differ from what the agent sent.
    """

    arguments: JSON
    pointers: tuple[str, ...]


def edited_from(canonical: bytes | None, pointers: tuple[str, ...]) -> Edited:
    """An edit from the canonical bytes of what would run or ran."""
    arguments: JSON = None if canonical is None else json.loads(canonical)
    return Edited(arguments=arguments, pointers=pointers)


def edited_text(edited: Edited | None, tense: str) -> str:
    """An edit in words, "it `tense` with …"; nothing where nobody edited."""
    if edited is None:
        return ""
    named = ", ".join(
        one_line(pointer) or "all of it" for pointer in edited.pointers[:MAX_POINTERS]
    )
    more = len(edited.pointers) - MAX_POINTERS
    where = f" (changed: {named}{f' and {more} more' if more > 0 else ''})" if named else ""
    text = f" The reviewer edited the arguments first{where}"
    if edited.arguments is None:
        return f"{text}."
    shown = json.dumps(edited.arguments, ensure_ascii=False)
    cut = " (cut)" if len(shown) > MAX_SHOWN else ""
    return f"{text}; it {tense} with {shown[:MAX_SHOWN]}{cut}."


def edited_facts(edited: Edited) -> dict[str, JSON]:
    """An edit for programs: where the arguments differ from what was sent, and what they are."""
    return {"changed": list[JSON](edited.pointers), "arguments": edited.arguments}


def one_line(text: str) -> str:
    """One line without control characters, so that a name cannot pose as a new message."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
