"""Sentences that keep what they were made of, so that a page can say them in its reader's language.

A sentence is plain English text to everybody else: to logs, agents, audit rows and tests. Knows no
language but English and no catalogue; who shows it looks its parts up.
"""

from __future__ import annotations

from typing import Self


class Sentence(str):
    """English text that remembers its template. `many` and `number` are those of a plural."""

    __slots__ = ("many", "number", "one", "params")

    one: str
    many: str
    number: int
    params: dict[str, object]

    @classmethod
    def made(cls, one: str, many: str, number: int, params: dict[str, object]) -> Self:
        """The English sentence of a template and its parameters."""
        template = one if number == 1 or not many else many
        sentence = cls(template.format(**{name: _plain(value) for name, value in params.items()}))
        sentence.one, sentence.many, sentence.number, sentence.params = one, many, number, params
        return sentence


def say(template: str, /, **params: object) -> Sentence:
    """A sentence from a template with named places; a tuple in one of them is a list of parts."""
    return Sentence.made(template, "", 1, params)


def say_many(one: str, many: str, /, *, number: int, **params: object) -> Sentence:
    """A sentence that speaks of `number` things."""
    return Sentence.made(one, many, number, {"number": number, **params})


def both(one: str, many: str) -> tuple[str, str]:
    """The two templates of a sentence that `say_many` says later; marks them for the catalogue."""
    return one, many


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return "; ".join(map(_plain, value))
    return f"{value:,}" if type(value) is int else str(value)
