"""The wish that a call be broken off: an event that also calls back, so that nobody has to wait.

A task that only waits for an event costs a call more than a callback does. Knows no transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Abort(asyncio.Event):
    """Set once, by whoever wants the call to end."""

    def __init__(self) -> None:
        super().__init__()
        self._callbacks: list[Callable[[], None]] = []

    def set(self) -> None:
        """Wake who waits, and call back who listens."""
        if self.is_set():
            return
        super().set()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back when it is set, or now; returns how to stop that."""
        if self.is_set():
            callback()
            return _nothing
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None


def _nothing() -> None:
    """It was set; nothing is listening any more."""
