"""What a standing permission leaves open, and what it pins: everything else.

A permission starts from one call with all of its arguments pinned. A reviewer may free single
members, each named by a JSON pointer (RFC 6901) through objects only; what is not freed stays as it
was, and nothing may be added beside it. Pure: knows neither tickets nor keys.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from approvals.domain.canonical import JSON, escape_pointer

MAX_OFFERED: Final = 100
MAX_NESTING: Final = 3
MAX_POINTER: Final = 500  # characters

# Obligations that say how long something takes, not who has to agree: a new ticket has its own.
_TIMES: Final = frozenset({"approval_seconds", "execution_seconds"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of the arguments that may be freed, and what it is pinned to otherwise."""

    pointer: str
    value: JSON
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an approval agrees to beyond the one call. `free` holds pointers, in order."""

    session_only: bool
    free: tuple[str, ...]
    max_uses: int
    seconds: int


def members(arguments: JSON) -> tuple[Member, ...]:
    """What may be freed, each object before its own members; at most MAX_OFFERED."""
    found: list[Member] = []
    for member in _members(arguments, "", 0):
        found.append(member)
        if len(found) == MAX_OFFERED:
            break
    return tuple(found)


def without(arguments: JSON, free: Collection[str]) -> JSON:
    """The part of `arguments` that stays pinned: all but the freed members, there or not."""
    kept = arguments
    for pointer in free:
        kept = _removed(kept, _tokens(pointer))
    return kept


def obligations_cover(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether what a permission was given under satisfies what policy wants of a call now.

    Any member of any named group may vote, so fewer groups are stricter. Whatever is not known
    here has to be the same on both sides: a key that only one of them has is not covered.
    """
    known = {"groups", "quorum", "four_eyes", "reason_required"} | _TIMES
    if not known <= given.keys() or not known <= wanted.keys():
        return False
    others = (given.keys() | wanted.keys()) - known
    return (
        set(given["groups"]) <= set(wanted["groups"])
        and given["quorum"] >= wanted["quorum"]
        and given["four_eyes"] >= wanted["four_eyes"]
        and given["reason_required"] >= wanted["reason_required"]
        and all(key in given and key in wanted and given[key] == wanted[key] for key in others)
    )


def _members(value: JSON, above: str, depth: int) -> Iterator[Member]:
    if not isinstance(value, dict) or depth == MAX_NESTING:
        return
    for name, inner in value.items():
        pointer = f"{above}/{escape_pointer(name)}"
        if len(pointer) > MAX_POINTER:
            continue  # it stays pinned
        yield Member(pointer=pointer, value=inner, depth=depth)
        yield from _members(inner, pointer, depth + 1)


def _tokens(pointer: str) -> list[str]:
    if not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} names no member: a JSON pointer begins with /")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _removed(value: JSON, tokens: list[str]) -> JSON:
    """`value` without the member that `tokens` lead to; what does not lead anywhere stays."""
    if not isinstance(value, dict) or tokens[0] not in value:
        return value
    if len(tokens) == 1:
        return {name: inner for name, inner in value.items() if name != tokens[0]}
    return {
        name: _removed(inner, tokens[1:]) if name == tokens[0] else inner
        for name, inner in value.items()
    }
