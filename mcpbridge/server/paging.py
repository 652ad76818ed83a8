"""Long lists in pages: a cursor says where to go on, and in which list.

A cursor of a list that has changed since is refused, so that nothing is skipped silently. Pure.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

PAGE_ITEMS: Final = 500
PAGE_BYTES: Final = 700_000  # a page has to fit into one event of clients
_CURSOR = re.compile(r"p1\.([0-9]{1,6})\.([0-9a-f]{16})\Z")


class BadCursor(ValueError):
    """The cursor is none of this list."""


def page_of(
    items: Sequence[Mapping[str, Any]], cursor: str | None
) -> tuple[list[Mapping[str, Any]], str | None]:
    """One page and the cursor of the next one, if there is one. Raises BadCursor."""
    sizes = [len(json.dumps(item, separators=(",", ":"))) for item in items]
    start = 0
    mark = _fingerprint(items) if cursor is not None else ""
    if cursor is not None:
        found = _CURSOR.match(cursor)
        if not found or found[2] != mark or not 0 < int(found[1]) < len(items):
            raise BadCursor("there is no such page; perhaps the list changed: begin again")
        start = int(found[1])
    end, size = start, 0
    while end < len(items) and end - start < PAGE_ITEMS:
        size += sizes[end]
        if size > PAGE_BYTES and end > start:
            break
        end += 1
    following = None
    if end < len(items):
        following = f"p1.{end}.{mark or _fingerprint(items)}"
    return list(items[start:end]), following


def _fingerprint(items: Sequence[Mapping[str, Any]]) -> str:
    spelled = json.dumps(list(items), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(spelled.encode("ascii")).hexdigest()[:16]
