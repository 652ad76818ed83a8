"""Somebody else's words in messages that leave: one short line that nothing acts on.

Mail programs and chat services turn parts of a plain text into links, mentions, pictures and
emphasis, each in its own way, and escaping for one of them is an attack in another. So whatever
has a meaning anywhere is spelled in braces: `evil{.}example`, `{@}everyone`, `{U+002A}`. Pure.
"""

from __future__ import annotations

import re
from typing import Final

from approvals.domain.inspection import inspect

MOST: Final = 120  # characters
ELLIPSIS: Final = "…"

# Characters that begin or end something in some markup, by their numbers: in braces alone they
# would still do so.
_MARKUP: Final = "*~`|<>[]\\{}"
_LABEL: Final = re.compile(r"\[(U\+[0-9A-F]{4,6}(?:\u00d7[0-9]+)?)\]")  # of an inspection before
_DOT: Final = re.compile(r"(?<=\w)\.(?=[^\W\d])")  # of host and file names, not of numbers
_COLON: Final = re.compile(r":(?=\S)")
_UNDERSCORE: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")


def outward(text: str, *, most: int = MOST) -> str:
    """`text` as one inert line of at most `most` characters."""
    parts: list[str] = []
    for segment in inspect(text[: most + 1], identifier_like=True, whole=True).head:
        if segment.is_chip:
            label = segment.text.strip("[]")
            parts.append(f"{{{label}{f'\u00d7{segment.count}' if segment.count > 1 else ''}}}")
        else:
            parts.append(_inert(segment.text))
    shown = "".join(parts)
    if len(text) <= most and len(shown) <= 2 * most:
        return shown
    kept = shown[: 2 * most]
    # A spelling that was cut in the middle would be none.
    if kept.count("{") > kept.count("}"):
        kept = kept[: kept.rindex("{")]
    return kept.rstrip() + ELLIPSIS


def _inert(text: str) -> str:
    return "".join(
        f"{{{piece}}}" if number % 2 else _spelled(piece)
        for number, piece in enumerate(_LABEL.split(text))
    )


def _spelled(text: str) -> str:
    spelled = "".join(f"{{U+{ord(c):04X}}}" if c in _MARKUP else c for c in text)
    spelled = spelled.replace("@", "{@}").replace("#", "{#}").replace("&", "{&}")
    spelled = _COLON.sub("{:}", _DOT.sub("{.}", spelled))
    return _UNDERSCORE.sub("{U+005F}", spelled)
