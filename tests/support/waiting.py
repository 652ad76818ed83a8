"""Bounded waits: poll a condition until it holds, or fail with what was seen last.

A wait that succeeds costs what it took, so its bound is generous: a slow machine that stands still
for some seconds fails no test. A shorter bound is for what the product promises, or for a wait
that has to fail.
"""

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

STEP = 0.02  # seconds between two looks
PATIENCE = 30.0  # seconds that whatever must happen has for it

type Why = str | Callable[[], str]  # called when the wait has failed, with what is known then


def eventually[T](look: Callable[[], T], *, within: float = PATIENCE, why: Why = "") -> T:
    """The first truthy value of `look`, or AssertionError after `within` seconds."""
    until = time.monotonic() + within
    pause = threading.Event()
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > until:
            raise _too_late(within, why or str(look), seen)
        pause.wait(STEP)


async def eventually_async(
    look: Callable[[], Any | Awaitable[Any]], *, within: float = PATIENCE, why: Why = ""
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
            raise _too_late(within, why or str(look), seen)
        await asyncio.sleep(STEP)


def _too_late(within: float, why: Why, seen: object) -> AssertionError:
    because = why() if callable(why) else why
    return AssertionError(f"not within {within} s: {because}; last seen: {seen!r}")
