"""Cutting a byte stream into lines, in linear time and within a cap."""

from __future__ import annotations


class LineTooLong(ValueError):
    """A line grew beyond its cap before its newline came."""


class LineSplitter:
    """Feed bytes, get whole lines without their line ends. Blank lines are dropped."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes. Raises LineTooLong."""
        lines: list[bytes] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._hold(data[start:end])
            line = b"".join(self._parts).removesuffix(b"\r")
            self._parts.clear()
            self._held = 0
            if line.strip():
                lines.append(line)
            start = end + 1
        self._hold(data[start:])
        return lines

    def _hold(self, part: bytes) -> None:
        self._held += len(part)
        if self._held > self._cap:
            raise LineTooLong(f"a line exceeds {self._cap} bytes")
        if part:
            self._parts.append(part)
