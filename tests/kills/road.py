"""The road between a worker and the witness, which can be blocked at will from outside.

A TCP relay that understands just enough HTTP to know which request it carries: one request a
connection. It can turn a deaf ear to new connections, keep what prepares a call from passing, and
it knows which answers were really read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from urllib.parse import urlsplit

CLOSE = b"Connection: close\r\n"


class Road:
    """Relays to one HTTP server; create and use it in one event loop."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname or "", parts.port or 0, parts.path
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._stuffing: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None
        self._free = asyncio.Event()
        self._free.set()
        self.waiting: list[str] = []  # methods of requests that are kept from passing
        self.read: list[str] = []  # notes whose answers were read to the end

    @property
    def url(self) -> str:
        """The witness's address by this road."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}{self._path}"

    def open(self) -> None:
        """Let everything pass."""
        self._free.set()
        self._listener.listen(256)
        if self._accepting is None:
            self._accepting = asyncio.create_task(self._accept())
        while self._stuffing:
            self._stuffing.pop().close()

    def keep_preparations(self) -> None:
        """Whatever is not a call itself waits here until `open`."""
        self.waiting.clear()
        self._free.clear()

    async def turn_deaf(self) -> None:
        """No new connection comes about: whoever connects waits until `open`."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait({self._accepting})
            self._accepting = None
        self._listener.listen(0)
        # The kernel takes connections as long as the queue has room: fill it.
        for _ in range(3):
            stuffing = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            stuffing.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                stuffing.connect(self._listener.getsockname())
            self._stuffing.append(stuffing)

    async def close(self) -> None:
        """End everything."""
        for task in [*self._tasks, *([self._accepting] if self._accepting else [])]:
            task.cancel()
            await asyncio.wait({task})
        for sock in [*self._stuffing, self._listener]:
            sock.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self._listener)
            task = asyncio.create_task(self._carry(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, sock: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=sock)
        try:
            head, body = await _message(reader)
            message = json.loads(body) if body else {}
            is_call = message.get("method") == "tools/call"
            if not is_call and not self._free.is_set():
                self.waiting.append(str(message.get("method")))
                await self._free.wait()
            answer = await self._ask(head + body)
            writer.write(answer)
            await writer.drain()
            await reader.read()  # the other side closes when it has read the whole answer
            if is_call:
                self.read.append(str(message["params"]["arguments"].get("note")))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # a killed worker, or stuffing
        finally:
            writer.close()

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(request)
            await writer.drain()
            head, body = await _message(reader)
            return head[:-2] + CLOSE + b"\r\n" + body
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            length = int(value)
    return head, await reader.readexactly(length)
