"""Whether arguments fit a tool's input schema.

Pure. The schema comes from an upstream and is hostile: nothing outside of it is ever fetched, the
work it may cause is bounded, and of its regular expressions only those are tried that cannot run
away; the rest is left to the upstream, and said to be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError, validators
from referencing import Registry

from approvals.domain.canonical import JSON, NotCanonical, canonical_bytes, escape_pointer
from approvals.domain.wording import Sentence, say

MAX_STEPS: Final = 50_000  # keywords looked at
MAX_MISFITS: Final = 10
MAX_WORDS: Final = 300
MAX_PATTERN: Final = 200
MAX_MATCHED: Final = 256  # characters that a pattern is tried on
MAX_OPEN_ENDED: Final = 2  # of a pattern's quantifiers
_ESCAPED: Final = re.compile(r"\\.", re.DOTALL)
_CLASS: Final = re.compile(r"\[[^\]]*\]")
_OPEN_ENDED: Final = re.compile(r"[*+]|\{\d*,\d*\}")
_RISKY: Final = re.compile(r"\)[*+{]|\(\?")  # a repeated group, or anything beyond plain groups
_BACKWARD: Final = re.compile(r"\\[1-9]")


type Errors = Iterator[ValidationError]
type Keyword = Callable[..., Errors | None]


class SchemaUnusable(ValueError):
    """Nothing can be held to this schema; `words` say why."""

    def __init__(self, words: Sentence) -> None:
        self.words = words
        super().__init__(words)


class _TooMuch(Exception):
    """The schema asks for more work than it is worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """One place (JSON pointer) that does not fit; `words` quote the schema and the value."""

    pointer: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What does not fit; `unchecked` says that some patterns were left to the upstream."""

    misfits: tuple[Misfit, ...]
    unchecked: bool = False


def fit(value: JSON, schema: object) -> Fit:
    """Hold a value to a schema; without a schema everything fits. Raises SchemaUnusable."""
    if schema is None:
        return Fit(misfits=())
    if not isinstance(schema, dict):
        raise SchemaUnusable(say("the schema is no object"))
    reading = _Reading()
    try:
        checker = reading.of(schema)(schema, registry=Registry())
        found = tuple(_misfit(error) for error in islice(checker.iter_errors(value), MAX_MISFITS))
    except _TooMuch:
        raise SchemaUnusable(say("the schema is too large to check anything against it")) from None
    except Exception as problem:  # a hostile schema may fail anywhere in its reading
        raise SchemaUnusable(
            say("the schema cannot be read ({problem})", problem=type(problem).__name__)
        ) from problem
    return Fit(misfits=found, unchecked=reading.unchecked)


def _misfit(error: ValidationError) -> Misfit:
    pointer = "".join(f"/{escape_pointer(str(token))}" for token in error.absolute_path)
    words = error.message
    return Misfit(
        pointer=pointer, words=words if len(words) <= MAX_WORDS else f"{words[:MAX_WORDS]}…"
    )


class _Reading:
    """One check: how many keywords it has looked at, and whether any was left to the upstream."""

    def __init__(self) -> None:
        self.steps = 0
        self.unchecked = False

    def of(self, schema: Mapping[str, object]) -> Any:
        """The validator of the schema's dialect, within bounds."""
        dialect: Any = validators.validator_for(schema, default=Draft202012Validator)
        keywords: dict[str, Keyword] = {
            **dialect.VALIDATORS,
            "uniqueItems": _unique,
            "pattern": self._pattern,
            "patternProperties": self._left,
            "unevaluatedProperties": self._left,
            "additionalProperties": self._additional(dialect.VALIDATORS["additionalProperties"]),
        }
        counted = {name: self._counted(keyword) for name, keyword in keywords.items()}
        extend: Any = validators.extend  # it has no types
        return extend(dialect, counted)

    def _counted(self, keyword: Keyword) -> Keyword:
        def step(*asked: Any) -> Iterator[ValidationError]:
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise _TooMuch
            yield from keyword(*asked) or ()

        return step

    def _pattern(self, _: object, pattern: object, text: object, __: object) -> Errors:
        if not isinstance(text, str):
            return
        if not _is_tame(pattern) or len(text) > MAX_MATCHED:
            self.unchecked = True
        elif not re.search(str(pattern), text):
            yield ValidationError(f"{text!r} does not match {pattern!r}")

    def _left(self, *_: object) -> Errors:
        self.unchecked = True
        yield from ()

    def _additional(self, keyword: Keyword) -> Keyword:
        def additional(checker: Any, wanted: Any, value: Any, schema: Any) -> Errors:
            if "patternProperties" in schema:
                self.unchecked = True  # which names are additional depends on patterns
            else:
                yield from keyword(checker, wanted, value, schema) or ()

        return additional


def _unique(_: object, wanted: object, items: Any, __: object) -> Errors:
    """Of canonical spellings, in linear time."""
    if wanted is True and isinstance(items, list):
        try:
            spelled = {canonical_bytes(item) for item in items}
        except NotCanonical as problem:
            yield ValidationError(str(problem))
            return
        if len(spelled) < len(items):
            yield ValidationError("its items are not all different")


def _is_tame(pattern: object) -> bool:
    """Whether this pattern takes little time on a short text: nothing repeated is repeated."""
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN or _BACKWARD.search(pattern):
        return False
    bare = _CLASS.sub("c", _ESCAPED.sub("e", pattern))
    if _RISKY.search(bare) or len(_OPEN_ENDED.findall(bare)) > MAX_OPEN_ENDED:
        return False
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
