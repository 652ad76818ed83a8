"""Reading `text/event-stream` in linear time and within caps (WHATWG HTML, "Server-sent events").

Pure. Holds at most one event; the caller caps the stream as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r")


MAX_LINES = 100_000
"""Lines of one stream: what is read line by line must not cost time without end."""


class EventTooLarge(ValueError):
    """An event, or the number of lines, grew beyond its cap."""


@dataclass(frozen=True)
class Event:
    """One dispatched event: its type and its data; `id` is the stream's last event id so far."""

    event: str
    data: bytes
    id: str | None
    retry_ms: int | None


class EventParser:
    """Feed bytes, get whole events. Lines may end in LF, CR or CR LF, cut anywhere."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._held = 0
        self._lines = 0
        self._event = ""
        self._swallow_lf = False
        self._first_line = True
        self._pending_id: str | None = None
        self.last_id: str | None = None
        self.retry_ms: int | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that `chunk` completes. Raises EventTooLarge."""
        events: list[Event] = []
        if self._swallow_lf and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._swallow_lf = False
        start = 0
        for end in _LINE_END.finditer(chunk):
            self._hold(chunk[start : end.start()])
            start = end.end()
            line = b"".join(self._line)
            self._line.clear()
            if (event := self._take(line)) is not None:
                events.append(event)
        self._hold(chunk[start:])
        self._swallow_lf = chunk.endswith(b"\r")
        return events

    def forgive(self) -> None:
        """Count the stream's lines anew: for one that lives longer than a single answer."""
        self._lines = 0

    def forget_partial(self) -> None:
        """Drop an event that was cut off; the last event id stays."""
        self._line.clear()
        self._data.clear()
        self._held = 0
        self._event = ""
        self._pending_id = self.last_id
        self._swallow_lf = False
        self._first_line = True

    def _hold(self, part: bytes) -> None:
        self._held += len(part)
        if self._held > self._cap:
            raise EventTooLarge(f"an event exceeds {self._cap} bytes")
        if part:
            self._line.append(part)

    def _take(self, line: bytes) -> Event | None:
        self._lines += 1
        if self._lines > MAX_LINES:
            raise EventTooLarge(f"the stream has more than {MAX_LINES} lines")
        if self._first_line:
            line = line.removeprefix(b"\xef\xbb\xbf")
            self._first_line = False
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")[:64]
        elif name == b"id" and b"\0" not in value and len(value) <= 1024:
            self._pending_id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) < 10:
            self.retry_ms = int(value)
        if not self._data:
            self._held = 0
        return None

    def _dispatch(self) -> Event | None:
        data, event = b"\n".join(self._data), self._event
        had_data = bool(self._data)
        self._data.clear()
        self._event = ""
        self._held = 0
        if self._pending_id is not None:
            self.last_id = self._pending_id
        if not had_data:
            return None
        return Event(event or "message", data, self.last_id, self.retry_ms)
