"""Ready-made traps: a past call changed so that a careful reviewer would reject it.

Pure: takes a call's arguments and gives them back with the trap set, or None where the call has
nothing that it could be set in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from approvals.domain.canonical import JSON


class Trap(StrEnum):
    """What is wrong with the call."""

    PAST = "past"  # nothing: the past call as it was
    HOST = "confusable_host"  # one letter of a host comes from another alphabet
    HIDDEN = "hidden_character"  # a character that shows nothing stands inside a text
    PATH = "unusual_path"  # a path climbs out of its folder


# Latin letters and what looks just like them in Cyrillic.
_LOOKALIKES: Final = {
    "a": "\u0430", "c": "\u0441", "e": "\u0435", "i": "\u0456", "o": "\u043e", "p": "\u0440",
    "x": "\u0445", "y": "\u0443",
}  # fmt: skip
# Behind a scheme or an address's sign, or a whole text of at least three labels.
_HOST: Final = re.compile(
    r"(?:(?<=://)|(?<=@)|\A(?=(?:[a-z0-9-]+\.){2}))(?:[a-z0-9-]+\.)+[a-z]{2,}(?=[/:?#]|\Z)",
    re.IGNORECASE,
)
_PATH: Final = re.compile(r"(?:\.{0,2}/)?[\w.-]+(?:/[\w.-]+)+\Z|/[\w.-]+\Z")
_HIDDEN: Final = "\u200b"  # a space of no width
_OUT: Final = "../../../../etc/shadow"


def sprung(arguments: JSON, trap: Trap) -> JSON | None:
    """The arguments with the trap set in the first text that fits; None where none does."""
    if trap is Trap.PAST:
        return arguments
    return _first(arguments, {Trap.HOST: _host, Trap.HIDDEN: _hidden, Trap.PATH: _path}[trap])


def _first(value: JSON, change: Callable[[str], str | None]) -> JSON | None:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        for name, inner in value.items():
            changed = _first(inner, change)
            if changed is not None:
                return {**value, name: changed}
    if isinstance(value, list):
        for place, inner in enumerate(value):
            changed = _first(inner, change)
            if changed is not None:
                return [*value[:place], changed, *value[place + 1 :]]
    return None


def _host(text: str) -> str | None:
    found = _HOST.search(text)
    if found is None:
        return None
    for place in range(found.start(), found.end()):
        lookalike = _LOOKALIKES.get(text[place])
        if lookalike is not None:
            return text[:place] + lookalike + text[place + 1 :]
    return None


def _hidden(text: str) -> str | None:
    if len(text) < 2:
        return None
    middle = len(text) // 2
    return text[:middle] + _HIDDEN + text[middle:]


def _path(text: str) -> str | None:
    if not _PATH.match(text):
        return None
    return f"{text.rpartition('/')[0]}/{_OUT}"
