"""Bounded waits: poll a condition until it holds, or fail with what was seen last."""

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

STEP = 0.02  # seconds between two looks


def eventually[T](look: Callable[[], T], *, within: float = 10.0, why: str = "") -> T:
    """The first truthy value of `look`, or AssertionError after `within` seconds."""
    until = time.monotonic() + within
    pause = threading.Event()
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > until:
            raise AssertionError(f"not within {within} s: {why or look}; last seen: {seen!r}")
        pause.wait(STEP)


async def eventually_async(
    look: Callable[[], Any | Awaitable[Any]], *, within: float = 10.0, why: str = ""
) -> Any:
    """As `eventually`, on the event loop; `look` may be a coroutine function."""
    until = time.monotonic() + within
    while True:
        seen = look()
        if inspect.isawaitable(seen):
            seen = await seen
        if seen:
            return seen
        if time.monotonic() > until:
            raise AssertionError(f"not within {within} s: {why or look}; last seen: {seen!r}")
        await asyncio.sleep(STEP)
