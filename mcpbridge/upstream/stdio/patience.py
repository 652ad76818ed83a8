"""How much a stdio server may say that nobody asked for, before it has to end.

Counts, and knows no message and no client: whoever reads the server's lines says what kind of
line came.
"""

from __future__ import annotations

import asyncio

GARBAGE_BYTES = 64 * 1024
MAX_SIDE_REQUESTS = 1000
PROGRESS_FACTOR = 4
"""So many times the cap of a call's notifications may be progress of one call."""
UNASKED_SECONDS = 60.0
UNASKED_FACTOR = 20
"""So many times the cap of a call's notifications may come unasked within UNASKED_SECONDS."""


class TooMuch(Exception):
    """The server sends more than its caps allow."""


class Patience:
    """What one server has said beyond its answers. Nobody is to keep the host from the others.

    `max_notifications` is the upstream's cap for one call.
    """

    def __init__(self, *, max_notifications: int) -> None:
        self._max_notifications = max_notifications
        self._garbage = 0
        self._unasked = 0
        self._window_ends = 0.0
        self._asked_in_a_row = 0

    def bears_garbage(self, line: bytes) -> bool:
        """Count a line that is no message; False once there were too many bytes of them."""
        self._garbage += len(line) + 1
        return self._garbage <= GARBAGE_BYTES

    def progressed(self, notifications: int) -> None:
        """A call has had so many notifications. Raises TooMuch."""
        if notifications > PROGRESS_FACTOR * self._max_notifications:
            raise TooMuch("the server sends progress without end")

    def unasked(self) -> None:
        """A notification came that belongs to no call. Raises TooMuch."""
        now = asyncio.get_running_loop().time()
        if now > self._window_ends:
            self._unasked, self._window_ends = 0, now + UNASKED_SECONDS
        self._unasked += 1
        if self._unasked > UNASKED_FACTOR * self._max_notifications:
            raise TooMuch("the server says without end what nobody asked for")

    def asked(self) -> None:
        """A request of the server's own came. Raises TooMuch for a long row without an answer."""
        self._asked_in_a_row += 1
        if self._asked_in_a_row > MAX_SIDE_REQUESTS:
            raise TooMuch("the server keeps asking questions")

    def answered(self) -> None:
        """The server answered somebody: it may ask again."""
        self._asked_in_a_row = 0
