"""Taking turns: the threads of one process write to a file's database one after the other.

SQLite lets one connection write at a time and tells the others to try again later; who tries when
is left to chance, and a busy thread that begins anew at once can keep others waiting for seconds.
Here they queue, first come, first served. Knows no SQL.
"""

from __future__ import annotations

import os
import threading
from collections import deque


class TurnTimeout(Exception):
    """The turn did not come in time."""


class Turns:
    """One queue of writers. Whoever has the turn gives it back, in whatever thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._queue: deque[threading.Event] = deque()

    def take(self, *, within: float) -> None:
        """Wait at most so many seconds for the turn; raises TurnTimeout."""
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Event()
            self._queue.append(mine)
        if mine.wait(within):
            return
        with self._lock:
            if not mine.is_set():
                self._queue.remove(mine)
                raise TurnTimeout
        # It came at the last moment.

    def give_back(self) -> None:
        """Let the next one write."""
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._taken = False


_turns: dict[str, Turns] = {}
_turns_lock = threading.Lock()


def turns_of(database: str) -> Turns:
    """The queue of the database of that name, in this process."""
    with _turns_lock:
        return _turns.setdefault(database, Turns())


def _begin_anew() -> None:
    """A forked child has one thread, and none of its mother's transactions."""
    global _turns_lock  # noqa: PLW0603 (another thread may have held it when the child was made)
    _turns_lock = threading.Lock()
    _turns.clear()


os.register_at_fork(after_in_child=_begin_anew)
