"""JSON as agents and upstreams may send it: one reading for every reader, or a named refusal.

Refuses what parsers disagree about: duplicate keys, NaN, numbers no double holds exactly, lone
surrogates, byte order marks, endless nesting. Knows nothing of JSON-RPC.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import isinf
from typing import Final, NoReturn

from mcpbridge.calls.limits import MAX_BODY_BYTES, MAX_DEPTH, MAX_SAFE_INTEGER

type JSON = bool | int | float | str | list[JSON] | dict[str, JSON] | None

# Beyond this a canonical number carries an exponent and can no longer pose as an integer.
_PLAIN_DIGITS_END: Final = 1e21
_SAFE_DIGITS: Final = 17  # a sign and the 16 digits of 2^53-1
_WHITESPACE: Final = b" \t\n\r"

# One bracket with everything before it that is none; strings are swallowed whole. Possessive
# and able to end anywhere, so that no input makes it look twice at one character.
_BRACKET = re.compile(
    r'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z))*+([\[\]{}])', re.DOTALL
)
_MAYBE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class BadJson(ValueError):
    """This is not JSON that every reader understands alike.

    `code` is stable; `position` counts bytes for encoding errors and characters otherwise, and
    is None where the parser does not tell; `where` adds a key or a JSON pointer.
    """

    code = "bad_json"

    def __init__(self, message: str, *, position: int | None = None, where: str = "") -> None:
        self.position = position
        self.where = where
        super().__init__(message)


class TooLarge(BadJson):
    """More bytes than the limit allows."""

    code = "too_large"


class Empty(BadJson):
    """Nothing but white space."""

    code = "empty"


class ByteOrderMark(BadJson):
    """A byte order mark stands in front."""

    code = "byte_order_mark"


class InvalidUtf8(BadJson):
    """The bytes are not UTF-8."""

    code = "invalid_utf8"


class TooDeep(BadJson):
    """Nested deeper than the limit allows."""

    code = "too_deep"


class Malformed(BadJson):
    """Not JSON by its grammar."""

    code = "malformed"


class TrailingData(BadJson):
    """Something follows the JSON value."""

    code = "trailing_data"


class NotANumber(BadJson):
    """NaN, Infinity or -Infinity, which JSON does not have."""

    code = "not_a_number"


class NumberOutOfRange(BadJson):
    """A number that readers would not all hold exactly."""

    code = "number_out_of_range"


class DuplicateKey(BadJson):
    """One object names a key twice, in whatever spelling."""

    code = "duplicate_key"


class LoneSurrogate(BadJson):
    """A string holds half of a surrogate pair."""

    code = "lone_surrogate"


def parse(
    raw: bytes | bytearray | memoryview,
    *,
    max_bytes: int = MAX_BODY_BYTES,
    max_depth: int = MAX_DEPTH,
) -> JSON:
    """The value of one UTF-8 JSON text (RFC 8259), within I-JSON (RFC 7493).

    Raises a BadJson. A whole number beyond 2^53-1 is refused in every spelling whose canonical
    form is plain digits (`9007199254740993`, `1e20`), since that form could not be read back.
    """
    size = raw.nbytes if isinstance(raw, memoryview) else len(raw)
    if size > max_bytes:
        raise TooLarge(f"{size} bytes; at most {max_bytes} are read")
    text = _text(bytes(raw))
    _check_depth(text, max_depth)
    try:
        value: JSON = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        if not text.strip(_WHITESPACE.decode()):
            raise Empty("no JSON value, only white space") from None
        kind = TrailingData if error.msg == "Extra data" else Malformed
        raise kind(f"{error.msg} at character {error.pos}", position=error.pos) from None
    if _MAYBE_SURROGATE.search(text):
        _refuse_surrogates(value)
    return value


def pointer(*tokens: str | int) -> str:
    """A JSON pointer (RFC 6901) from its unescaped tokens."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)


def _text(raw: bytes) -> str:
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise ByteOrderMark("a byte order mark stands in front; JSON is plain UTF-8", position=0)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidUtf8(
            f"byte {error.start} is not part of valid UTF-8", position=error.start
        ) from None


def _check_depth(text: str, most: int) -> None:
    """Refuse deep nesting before the recursive parser sees it; one linear look."""
    if text.count("[") + text.count("{") <= most:
        return
    depth = here = 0
    # Matched from where the last one ended, never searched: a search would step into a string.
    while found := _BRACKET.match(text, here):
        here = found.end()
        if found.group(1) in "[{":
            depth += 1
            if depth > most:
                position = found.start(1)
                raise TooDeep(
                    f"nested deeper than {most} levels at character {position}", position=position
                )
        else:
            depth -= 1


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise DuplicateKey(f"the key {_shown(key)} stands twice in one object", where=key)
            seen.add(key)
    return value


def _integer(token: str) -> int:
    if len(token) <= _SAFE_DIGITS:
        value = int(token)
        if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            return value
    raise NumberOutOfRange(f"the integer {_shown(token)} is beyond 2^53-1; send it as a string")


def _float(token: str) -> float:
    value = float(token)
    if isinf(value):
        raise NumberOutOfRange(f"the number {_shown(token)} is larger than any double")
    if MAX_SAFE_INTEGER < abs(value) < _PLAIN_DIGITS_END:
        raise NumberOutOfRange(
            f"the number {_shown(token)} is a whole number beyond 2^53-1; send it as a string"
        )
    return value


def _constant(token: str) -> NoReturn:
    raise NotANumber(f"{token} is not JSON")


def _refuse_surrogates(value: JSON) -> None:
    for where, text in _strings(value, ""):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise LoneSurrogate(
                f"the string at {where or 'the top level'} holds half of a surrogate pair",
                where=where,
            ) from None


def _strings(value: JSON, where: str) -> Iterator[tuple[str, str]]:
    """Every string and key with its pointer; recursion is bounded by the depth check."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, f"{where}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            # Of a key that may itself be broken only its escaped spelling is repeated.
            spelled = ascii(key)[1:-1] if not key.isascii() else key
            here = where + pointer(spelled)
            yield here, key
            yield from _strings(item, here)


def _shown(token: str) -> str:
    shown = ascii(token) if not token.isascii() or not token.isprintable() else token
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
)
