"""What a stdio server writes beside the protocol: kept short, without secrets, on one line."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from mcpbridge.upstream.lines import LineSplitter, LineTooLong
from mcpbridge.upstream.spec import UpstreamSpec

log = logging.getLogger(__name__)

LINE_BYTES = 4096
LOGGED_LINES = 200
KEPT_LINES = 5


class Chatter:
    """Follows a server's stderr. After the first lines only the newest are kept."""

    def __init__(self, spec: UpstreamSpec) -> None:
        self._name = spec.name
        self._secrets = [value for value in spec.secret_env.values() if len(value) >= 4]
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)
        self._heard = 0

    async def follow(self, stream: asyncio.StreamReader) -> None:
        """Read until the stream ends; never lets the server block on a full pipe."""
        splitter = LineSplitter(LINE_BYTES)
        while chunk := await stream.read(65536):
            try:
                for line in splitter.feed(chunk):
                    self.hear(line)
            except LineTooLong:
                self.hear(chunk[:LINE_BYTES])
                splitter = LineSplitter(LINE_BYTES)

    def hear(self, line: bytes) -> None:
        """Take one line; log the first ones."""
        text = line[:LINE_BYTES].decode("utf-8", "replace")
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        text = "".join(sign if sign.isprintable() else "�" for sign in text)[:500]
        self._kept.append(text)
        self._heard += 1
        if self._heard <= LOGGED_LINES:
            log.info("stdio server %s says: %s", self._name, text)

    def last_words(self) -> str:
        """Return the newest line for an error message, or nothing."""
        return f"; its last words: {self._kept[-1][:200]!r}" if self._kept else ""
