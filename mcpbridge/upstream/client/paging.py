"""Reading a list of an upstream to its end, page by page, within caps.

Items come back as the server wrote them; whether they can be used is the caller's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcpbridge.upstream.errors import RequestFailed
from mcpbridge.upstream.replies import Message

MAX_PAGES = 500

Ask = Callable[[str, Mapping[str, Any]], Awaitable[Message]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A whole list. `ttl_ms` is the shortest time that its pages claim to hold; None: unsaid."""

    items: list[dict[str, Any]]
    size: int  # bytes of its pages
    ttl_ms: int | None = None


async def read_all(
    ask: Ask, method: str, key: str, *, most_items: int, most_bytes: int, seconds: float
) -> Listed:
    """Read every page of `method`, whose items stand under `key`. Raises RequestFailed."""
    try:
        async with asyncio.timeout(seconds):
            return await _pages(ask, method, key, most_items=most_items, most_bytes=most_bytes)
    except TimeoutError:
        raise RequestFailed(f"{method} did not end in time") from None


def input_schemas(tools: list[dict[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The schema of each tool that has one, by its name. Raises RequestFailed for one unnamed."""
    if not all(isinstance(tool.get("name"), str) for tool in tools):
        raise RequestFailed("tools/list did not answer with a list of named tools")
    return {
        tool["name"]: tool["inputSchema"]
        for tool in tools
        if isinstance(tool.get("inputSchema"), dict)
    }


async def _pages(ask: Ask, method: str, key: str, *, most_items: int, most_bytes: int) -> Listed:
    items: list[dict[str, Any]] = []
    hints: list[int] = []
    cursor: str | None = None
    seen: set[str] = set()
    size = 0
    for _ in range(MAX_PAGES):
        page, page_size = await _page(ask, method, key, cursor)
        size += page_size
        if size > most_bytes:
            raise RequestFailed(f"what {method} lists is larger than a result may be")
        items.extend(page[key])
        if len(items) > most_items:
            raise RequestFailed(f"{method} lists more than {most_items} {key}")
        if type(page.get("ttlMs")) is int and page["ttlMs"] >= 0:
            hints.append(page["ttlMs"])
        cursor = page.get("nextCursor")
        if cursor is None:
            return Listed(items=items, size=size, ttl_ms=min(hints) if hints else None)
        if not isinstance(cursor, str) or cursor in seen:
            raise RequestFailed(f"{method} hands out a cursor that leads nowhere")
        seen.add(cursor)
    raise RequestFailed(f"{method} has more than {MAX_PAGES} pages")


async def _page(ask: Ask, method: str, key: str, cursor: str | None) -> tuple[dict[str, Any], int]:
    answer = await ask(method, {} if cursor is None else {"cursor": cursor})
    if answer.kind == "error":
        error = answer.body["error"]
        raise RequestFailed(f"{method} was refused: {error['message'][:200]!r} ({error['code']})")
    result: dict[str, Any] = answer.body["result"]
    items = result.get(key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise RequestFailed(f"{method} did not answer with a list of {key}")
    return result, answer.size
