"""One untrusted text as segments to show and findings to say.

A segment is plain text or a chip that stands for a character nobody could see or trust. Long
texts are cut to head and tail; findings always speak of the whole text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from approvals.domain.inspection.characters import Kind, label, name_of
from approvals.domain.inspection.findings import (
    MARKS_IN_A_ROW,
    Finding,
    character_findings,
    is_emoji_style,
    marks_of,
    suspects_of,
    word_findings,
)

SHOWN_WHOLE_CHARS: Final = 1600
SHOWN_WHOLE_LINES: Final = 40
HEAD_CHARS: Final = 800
HEAD_LINES: Final = 20
TAIL_CHARS: Final = 400
TAIL_LINES: Final = 10
IDENTIFIER_CHARS: Final = 512
ONE_LINE_CHARS: Final = 160
ELLIPSIS: Final = "…"

_NAMING = re.compile(
    r"(?:^|[_\-. ])(?:host(?:name)?|domain|ur[il]s?|link|path|paths|file(?:name)?s?|dir(?:ectory)?"
    r"|folder|e?mail|to|cc|bcc|from|user(?:name)?|account|repo(?:sitory)?|branch|ref|tag|remote"
    r"|origin|target|source|destination|package|image|name|id|key|command|cmd|args?|argv|tool)s?$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text. Of a chip, `text` is the label, `why` its words, `count` its run."""

    text: str
    kind: Kind | None = None
    why: str = ""
    count: int = 1

    @property
    def is_chip(self) -> bool:
        """Whether this stands for a character that is not shown itself."""
        return self.kind is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedText:
    """A text fit to be shown: all of it in `head`, or `head`, a gap of `hidden` bytes, `tail`."""

    head: tuple[Segment, ...]
    tail: tuple[Segment, ...] = ()
    size: int
    hidden: int = 0
    findings: tuple[Finding, ...] = ()
    identifier_like: bool = False

    @property
    def cut(self) -> bool:
        """Whether something is not shown."""
        return self.hidden > 0

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Everything shown, without the gap."""
        return self.head + self.tail

    @property
    def shown(self) -> str:
        """The text as a person sees it, chips as their labels: for alternatives and tests."""
        gap = f" {ELLIPSIS} " if self.cut else ""
        return _flat(self.head) + gap + _flat(self.tail)


def inspect(text: str, *, identifier_like: bool = False, whole: bool = False) -> InspectedText:
    """What to show of `text`, and what to say about it.

    In identifier-like text (hosts, paths, addresses, names, commands) line breaks and unusual
    spaces become chips as well, and mixed scripts and lookalikes are findings. `whole` shows a
    long text uncut, as after a person opened it. Sizes are bytes of UTF-8.
    """
    suspects = suspects_of(text, identifier_like=identifier_like)
    findings = character_findings(text, suspects)
    if identifier_like:
        findings += word_findings(text)
    size = byte_length(text)
    if whole or not _is_long(text):
        head, tail, hidden = text, "", 0
    else:
        head, tail = _ends(text)
        hidden = size - byte_length(head) - byte_length(tail)
    return InspectedText(
        head=_segments(head, suspects),
        tail=_segments(tail, suspects),
        size=size,
        hidden=hidden,
        findings=tuple(findings),
        identifier_like=identifier_like,
    )


def one_line(text: str, *, limit: int = ONE_LINE_CHARS) -> str:
    """`text` as one safe line for titles and logs: labels for what misleads, cut at `limit`."""
    cut = text[: limit + 1]
    shown = _flat(_segments(cut, suspects_of(cut, identifier_like=True)))
    return shown if len(shown) <= limit else shown[: max(0, limit - 1)].rstrip() + ELLIPSIS


def spelled(text: str) -> str:
    """`text` for a terminal or a file: its own lines and tabs, labels for all else unseen."""
    return _flat(_segments(text, suspects_of(text, identifier_like=False)))


def is_identifier(name: str, text: str) -> bool:
    """Whether the value called `name` is read as an exact name rather than as prose."""
    if len(text) > IDENTIFIER_CHARS:
        return False
    if _NAMING.search(_CAMEL.sub("_", name)):
        return True
    return not any(character.isspace() for character in text)


def byte_length(text: str) -> int:
    """The size of a text in UTF-8, lone surrogates counted as three bytes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _is_long(text: str) -> bool:
    return len(text) > SHOWN_WHOLE_CHARS or text.count("\n") >= SHOWN_WHOLE_LINES


def _ends(text: str) -> tuple[str, str]:
    """Head and tail of a long text, which never overlap."""
    head = "".join(text[:HEAD_CHARS].splitlines(keepends=True)[:HEAD_LINES])
    rest = text[len(head) :]
    return head, "".join(rest[-TAIL_CHARS:].splitlines(keepends=True)[-TAIL_LINES:])


def _segments(text: str, suspects: dict[str, Kind]) -> tuple[Segment, ...]:
    marks = marks_of(text)
    if not suspects and not marks:
        return (Segment(text),) if text else ()
    patterns = [f"([{''.join(map(re.escape, suspects))}])\\1*"] if suspects else []
    if marks:
        patterns.append(f"(?<=[{marks}]{{{MARKS_IN_A_ROW}}})[{marks}]")
    segments: list[Segment] = []
    done = 0
    for found in re.finditer("|".join(patterns), text):
        character = text[found.start()]
        kind = suspects.get(character, Kind.COMBINING)
        if is_emoji_style(text, found.start(), found.end()):
            continue
        if found.start() > done:
            segments.append(Segment(text[done : found.start()]))
        run = found.end() - found.start()
        segments.append(Segment(label(character), kind, name_of(character), run))
        done = found.end()
    if done < len(text):
        segments.append(Segment(text[done:]))
    return tuple(segments)


def _flat(segments: tuple[Segment, ...]) -> str:
    return "".join(
        f"{part.text}\u00d7{part.count}" if part.is_chip and part.count > 1 else part.text
        for part in segments
    )
