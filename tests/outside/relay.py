"""A relay that adds a bearer token to each request and passes everything else on untouched.

For clients that cannot be told a token. Heads and bodies go on byte by byte as they come, in both
directions, Host and Origin included; when one side leaves, the other is left, too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

HEAD_LIMIT = 1 << 20  # bytes
_ENDED = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


class Relay:
    """One listening port before one server on loopback."""

    def __init__(self) -> None:
        self.secret = ""
        self.port = 0
        self._target = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Its origin."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; `serve` says for whom."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0, limit=HEAD_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]

    def serve(self, *, port: int, secret: str) -> None:
        """Pass requests on to this port, with this token."""
        self._target, self.secret = port, secret

    async def stop(self) -> None:
        """Close the port and all connections."""
        assert self._server is not None
        self._server.close()
        self._server.close_clients()
        await self._server.wait_closed()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = None
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self._target)
            ways = [
                asyncio.create_task(self._requests(reader, there)),
                asyncio.create_task(_copy(back, writer)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except _ENDED:
            pass
        finally:
            for side in (writer, there):
                if side is not None:
                    side.close()

    async def _requests(self, reader: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*_ENDED):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head[:-4].split(b"\r\n")
                there.write(b"\r\n".join([*lines, b"Authorization: Bearer " + self._token()]))
                there.write(b"\r\n\r\n")
                async for part in _body(reader, lines[1:]):
                    there.write(part)
                await there.drain()

    def _token(self) -> bytes:
        return self.secret.encode()


async def _body(reader: asyncio.StreamReader, fields: list[bytes]) -> AsyncIterator[bytes]:
    named = {
        name.strip().lower(): value.strip()
        for name, _, value in (field.partition(b":") for field in fields)
    }
    if named.get(b"transfer-encoding", b"").lower() == b"chunked":
        while True:
            size = await reader.readuntil(b"\r\n")
            yield size
            length = int(size.split(b";")[0], 16)
            yield await reader.readexactly(length + 2)
            if not length:
                return
    elif length := int(named.get(b"content-length", b"0")):
        yield await reader.readexactly(length)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(*_ENDED):
        while part := await reader.read(1 << 16):
            writer.write(part)
            await writer.drain()
