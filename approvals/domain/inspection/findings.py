"""What a reader should be told about a text, in sentences.

Speaks of the whole text, however little of it is shown; counts without building segments.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Final

from approvals.domain.inspection.characters import (
    Kind,
    is_mark,
    kind_of,
    label,
    likeness,
    name_of,
    reads_as,
    scripts_mixed,
    words_of,
)
from approvals.domain.wording import Sentence, both, say, say_many

MARKS_IN_A_ROW: Final = 4
WORDS_NAMED: Final = 3
SCRIPTS_NAMED: Final = 4
EMOJI_STYLE: Final = "\ufe0f"

_SENTENCES: Final = {
    Kind.BIDI: both(
        "One character changes the direction of the text around it: {example}.",
        (
            "{number} characters, each of which changes the direction of the text around it;"
            " the first is {example}."
        ),
    ),
    Kind.INVISIBLE: both(
        "One character is not visible: {example}.",
        "{number} characters, each of which is not visible; the first is {example}.",
    ),
    Kind.TAG: both(
        "One character is invisible to people and readable by models: {example}.",
        (
            "{number} characters, each of which is invisible to people and readable by models;"
            " the first is {example}."
        ),
    ),
    Kind.CONTROL: both(
        "One character is a control character: {example}.",
        "{number} characters, each of which is a control character; the first is {example}.",
    ),
    Kind.SURROGATE: both(
        "One character is half of a character: {example}.",
        "{number} characters, each of which is half of a character; the first is {example}.",
    ),
    Kind.UNASSIGNED: both(
        "One character has no agreed meaning: {example}.",
        "{number} characters, each of which has no agreed meaning; the first is {example}.",
    ),
    Kind.SPACE: both(
        "One character looks like a space and is none: {example}.",
        (
            "{number} characters, each of which looks like a space and is none;"
            " the first is {example}."
        ),
    ),
    Kind.COMBINING: both(
        "One character is stacked on others until it covers them: {example}.",
        (
            "{number} characters, each of which is stacked on others until it covers them;"
            " the first is {example}."
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a reader should know, in one sentence."""

    kind: Kind
    words: str
    count: int = 1


def character_findings(text: str, suspects: dict[str, Kind]) -> list[Finding]:
    """What the whole text holds, counted without building its segments."""
    counts: Counter[Kind] = Counter()
    examples: dict[Kind, str] = {}
    if suspects:
        for character, count in Counter(text).items():
            kind = suspects.get(character)
            styles = _emoji_styles(text) if character == EMOJI_STYLE else 0
            if kind is not None and count > styles:
                counts[kind] += count - styles
                examples.setdefault(kind, character)
    for stacked in _stacked_marks(text):
        counts[Kind.COMBINING] += len(stacked)
        examples.setdefault(Kind.COMBINING, stacked[0])
    return [
        Finding(kind, _sentence(kind, counts[kind], examples[kind]), counts[kind])
        for kind in Kind
        if counts[kind]
    ]


def _emoji_styles(text: str) -> int:
    """How many style selectors are the harmless kind."""
    return sum(
        is_emoji_style(text, found.start(), found.end())
        for found in re.finditer(f"{EMOJI_STYLE}+", text)
    )


def _stacked_marks(text: str) -> Iterator[str]:
    """The runs of marks beyond the few that writing needs."""
    marks = marks_of(text)
    if marks:
        few = f"[{marks}]{{{MARKS_IN_A_ROW}}}"
        for found in re.finditer(f"(?<={few})[{marks}]++", text):
            yield found.group()


def _sentence(kind: Kind, count: int, character: str) -> Sentence:
    one, many = _SENTENCES[kind]
    return say_many(one, many, number=count, example=f"{label(character)} {name_of(character)}")


def word_findings(text: str) -> list[Finding]:
    """Words and signs of an exact name that pose as others."""
    if text.isascii():
        return []
    mixed: dict[str, str] = {}
    alike: dict[str, str] = {}
    for word in dict.fromkeys(words_of(text)):
        scripts = scripts_mixed(word)
        if scripts:
            mixed[word] = reduce(_and, (script.capitalize() for script in scripts[:SCRIPTS_NAMED]))
        elif reading := reads_as(word):
            alike[word] = reading[:40]
    signs = {
        c: likeness(c)
        for c in dict.fromkeys(text)
        if not c.isalpha() and kind_of(c) is None and likeness(c)
    }
    findings = []
    if mixed:
        named = tuple(
            say("“{word}” has {scripts}", word=word, scripts=of) for word, of in _few(mixed)
        )
        words = say("Letters of several scripts in one word: {words}.", words=named)
        findings.append(Finding(Kind.MIXED_SCRIPT, words, len(mixed)))
    if alike or signs:
        named = (
            *(say("“{word}” is not “{reading}”", word=w, reading=r) for w, r in _few(alike)),
            *(
                say("{word} is not “{reading}”", word=f"{label(c)} {name_of(c)}", reading=r)
                for c, r in _few(signs)
            ),
        )
        words = say("Looks like something else: {words}.", words=named)
        total = len(alike) + len(signs)
        findings.append(Finding(Kind.CONFUSABLE, words, total))
    return findings


def _and(some: str, one: str) -> str:
    return say("{some} and {one}", some=some, one=one)


def _few(found: dict[str, str]) -> list[tuple[str, str]]:
    return [(key[:40], value) for key, value in list(found.items())[:WORDS_NAMED]]


def suspects_of(text: str, *, identifier_like: bool) -> dict[str, Kind]:
    """The misleading characters that occur in a text, each with its kind."""
    if text.isascii() and text.isprintable():
        return {}
    found = {character: kind for character in set(text) if (kind := kind_of(character))}
    if not identifier_like:
        for plain in [c for c, kind in found.items() if kind is Kind.SPACE or c in "\n\t"]:
            del found[plain]
    return found


def marks_of(text: str) -> str:
    """The combining marks of a text, for a character class; suspects are none of them."""
    if text.isascii():
        return ""
    return "".join(c for c in set(text) if not c.isascii() and is_mark(c) and not kind_of(c))


def is_emoji_style(text: str, start: int, end: int) -> bool:
    """One emoji-style selector right after a symbol: drawn, harmless and common."""
    if text[start:end] != EMOJI_STYLE or start == 0:
        return False
    before = text[start - 1]
    return ord(before) >= 0x2190 and kind_of(before) is None and not before.isalnum()
