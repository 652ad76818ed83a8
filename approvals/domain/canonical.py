"""Canonical JSON bytes (RFC 8785) and the domain-separated digests made from them.

Knows values and bytes only: not where they came from, nor what a ticket row looks like.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from json.encoder import encode_basestring
from math import isfinite
from typing import Final

type JSON = bool | int | float | str | list[JSON] | dict[str, JSON] | None

MAX_DEPTH: Final = 64
MAX_SAFE_INTEGER: Final = 2**53 - 1
TICKET_FORMAT: Final = 1

_DOMAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")


class NotCanonical(ValueError):
    """A value that has no canonical form; `pointer` (RFC 6901) says where it stands."""

    def __init__(self, problem: str, pointer: str = "") -> None:
        self.problem = problem
        self.pointer = pointer
        super().__init__(problem, pointer)

    def __str__(self) -> str:
        where = ascii(self.pointer)[1:-1] if self.pointer else "the top level"
        return f"{self.problem} at {where}"


def escape_pointer(token: str) -> str:
    """One reference token of a JSON pointer, escaped (RFC 6901 section 3)."""
    return token.replace("~", "~0").replace("/", "~1")


def canonical_bytes(value: JSON) -> bytes:
    """The one UTF-8 spelling of `value` (RFC 8785); raises NotCanonical."""
    parts: list[str] = []
    _write(value, parts, 0)
    return "".join(parts).encode("utf-8")


def ordered_bytes(value: JSON) -> bytes:
    """`value` as compact JSON, the members of each object as they stand; raises NotCanonical."""
    canonical_bytes(value)  # what has no canonical spelling has none here either
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def number_text(value: float) -> str:
    """A finite double as ECMAScript spells it (ECMA-262, Number::toString)."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to the power of `point`.
    point = int(exponent or "0") + len(whole)
    if whole == "0":
        point -= 1 + len(fraction) - len(fraction.lstrip("0"))
    digits = digits.rstrip("0") or "0"
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if power >= 0 else '-'}{abs(power)}"


def _write(value: JSON, parts: list[str], depth: int) -> None:
    if isinstance(value, str):
        parts.append(_string(value))
    elif value is None:
        parts.append("null")
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    elif isinstance(value, int | float):
        parts.append(_number(value))
    elif not isinstance(value, dict | list):
        raise NotCanonical(f"a {type(value).__name__}, which JSON does not have,")
    elif depth >= MAX_DEPTH:
        raise NotCanonical(f"a value nested deeper than {MAX_DEPTH} levels")
    elif isinstance(value, dict):
        _write_object(value, parts, depth)
    else:
        _write_list(value, parts, depth)


def _number(value: float) -> str:
    if isinstance(value, int):
        if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            raise NotCanonical("an integer beyond 2^53-1")
        return int.__repr__(value)
    if not isfinite(value):
        raise NotCanonical("a number that is not finite")
    return number_text(value)


def _write_list(value: list[JSON], parts: list[str], depth: int) -> None:
    separator = "["
    index = 0
    try:
        for index, item in enumerate(value):  # noqa: B007 (read where a refusal passes)
            parts.append(separator)
            _write(item, parts, depth + 1)
            separator = ","
    except NotCanonical as refused:
        # The pointer grows as the refusal passes, so that ordinary values pay nothing for it.
        refused.pointer = f"/{index}{refused.pointer}"
        raise
    parts.append("]" if value else "[]")


def _write_object(value: dict[str, JSON], parts: list[str], depth: int) -> None:
    separator = "{"
    for key in _sorted_keys(value):
        try:
            parts.extend((separator, _string(key), ":"))
            _write(value[key], parts, depth + 1)
        except NotCanonical as refused:
            refused.pointer = f"/{escape_pointer(key)}{refused.pointer}"
            raise
        separator = ","
    parts.append("}" if value else "{}")


def _sorted_keys(value: dict[str, JSON]) -> list[str]:
    """Keys by their UTF-16 code units (RFC 8785 section 3.2.3); for ASCII, as they are."""
    for key in value:
        if not isinstance(key, str):
            raise NotCanonical(f"a key that is a {type(key).__name__}, not a string,")
    # Surrogates pass here; they are refused with their pointer when the key is written.
    is_ascii = all(map(str.isascii, value))
    return sorted(value) if is_ascii else sorted(value, key=_utf16)


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _string(text: str) -> str:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise NotCanonical("a string with a lone surrogate") from None
    return encode_basestring(text)


def digest_of_bytes(domain: str, data: bytes) -> bytes:
    """SHA-256 (32 bytes) over `placet:`, the domain, NUL, and the bytes as they are."""
    if not _DOMAIN.match(domain):
        raise ValueError(f"digest domain {domain!r} must be 1..64 of a-z 0-9 . _ -")
    return hashlib.sha256(b"placet:" + domain.encode("ascii") + b"\0" + data).digest()


def digest(domain: str, value: JSON) -> bytes:
    """SHA-256 (32 bytes) over the canonical bytes of `value`, separated by `domain`."""
    return digest_of_bytes(domain, canonical_bytes(value))


def arguments_digest(arguments: bytes, salt: bytes) -> bytes:
    """The digest (32 bytes) of the exact argument bytes that are shown and later sent."""
    return digest_of_bytes("arguments", len(salt).to_bytes(2) + salt + arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketBinding:
    """Everything an approval is bound to; one other value in any field is another ticket.

    `arguments` are the exact canonical bytes that are shown and later sent. They enter by a digest
    of their own, so that megabytes are hashed and never spelled out again. Its `salt` is purged
    with them: what a purge leaves of a ticket cannot be guessed against.
    """

    format: int = TICKET_FORMAT
    ticket_id: str
    revision: int
    nonce: bytes
    agent: str
    person: str
    upstream: str
    upstream_config_digest: bytes
    tool: str
    tool_digest: bytes
    arguments: bytes
    salt: bytes
    obligations: dict[str, JSON]


def ticket_digest(binding: TicketBinding) -> bytes:
    """The digest (32 bytes) that seen_digest, signatures and the send guard all use."""
    return digest(
        "ticket",
        {
            "agent": binding.agent,
            "arguments": arguments_digest(binding.arguments, binding.salt).hex(),
            "format": binding.format,
            "nonce": binding.nonce.hex(),
            "obligations": binding.obligations,
            "person": binding.person,
            "revision": binding.revision,
            "ticket": binding.ticket_id,
            "tool": binding.tool,
            "tool_digest": binding.tool_digest.hex(),
            "upstream": binding.upstream,
            "upstream_config_digest": binding.upstream_config_digest.hex(),
        },
    )
