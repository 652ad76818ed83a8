"""The name under which an agent sees a tool of some upstream.

`upstream__tool`, as long as that is a valid name that can be read in one way only; else a slug
of both with a hash of both. Knows no catalogue: the same pair always gets the same name.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from mcpbridge.calls.limits import MAX_TOOL_NAME

SEPARATOR: Final = "__"
RESERVED_UPSTREAM: Final = "placet"
RESERVED_PREFIX: Final = RESERVED_UPSTREAM + SEPARATOR
AWAIT_TICKET: Final = RESERVED_PREFIX + "await_ticket"

_HASH_DIGITS: Final = 16
_SLUG_UPSTREAM: Final = 20
_VALID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_HASHED = re.compile(rf"_[0-9a-f]{{{_HASH_DIGITS}}}\Z")
# An upstream whose name ends in, or holds, the separator's beginning would blur the border.
_CLEAR_UPSTREAM = re.compile(r"_?[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*\Z")
_OTHER = re.compile(r"[^A-Za-z0-9-]+")


class NameRefused(ValueError):
    """A name that an upstream or tool may not have here."""


def is_reserved(name: str) -> bool:
    """Whether a tool name belongs to the gateway itself, in whatever case."""
    return name.lower().startswith(RESERVED_PREFIX)


def agent_tool_name(upstream: str, tool: str) -> str:
    """The agent's name for `tool` of `upstream`: 1..64 of `[A-Za-z0-9_-]`, stable, one to one.

    Raises NameRefused for an empty part and for the reserved upstream name.
    """
    if not upstream or not tool:
        raise NameRefused("an upstream and a tool each need a name")
    if upstream.lower() == RESERVED_UPSTREAM:
        raise NameRefused(f"no upstream may be called {RESERVED_UPSTREAM!r}: it is the gateway's")
    plain = upstream + SEPARATOR + tool
    is_clear = _CLEAR_UPSTREAM.match(upstream) and not _HASHED.search(plain)
    if is_clear and _VALID.match(plain) and not is_reserved(plain):
        return plain
    return _hashed(upstream, tool)


def _hashed(upstream: str, tool: str) -> str:
    seen = f"{len(upstream)}:{upstream}{tool}".encode("utf-8", "surrogatepass")
    tail = "_" + hashlib.sha256(b"placet:tool-name\0" + seen).hexdigest()[:_HASH_DIGITS]
    head = _slug(upstream)[:_SLUG_UPSTREAM].strip("_") or "upstream"
    if head.lower() == RESERVED_UPSTREAM:
        head += "-"
    room = MAX_TOOL_NAME - len(head) - len(SEPARATOR) - len(tail)
    return head + SEPARATOR + (_slug(tool)[:room].strip("_") or "tool") + tail


def _slug(text: str) -> str:
    return _OTHER.sub("_", text).strip("_")
