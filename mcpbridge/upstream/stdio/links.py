"""The host's end of a link: one client process that uses one server.

Trusts the client to be Placet (the socket's owner was checked) but not to be free of mistakes: a
line outside the protocol ends the link.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from mcpbridge.upstream import link
from mcpbridge.upstream.lines import LineSplitter, LineTooLong
from mcpbridge.upstream.questions import READINGS
from mcpbridge.upstream.replies import MalformedMessage, Message, read_message
from mcpbridge.upstream.stdio.child import Child

log = logging.getLogger(__name__)

CHUNK = 256 * 1024
REQUEST_BYTES = 16 * 1024 * 1024
UNREAD_BYTES = 32 * 1024 * 1024
METHODS = frozenset(
    {
        "ping",
        "tools/list",
        "tools/call",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
        "prompts/get",
        "completion/complete",
        "logging/setLevel",
        "resources/subscribe",
        "subscriptions/listen",
    }
)
"""No `resources/unsubscribe`: the server is shared with other processes, which may still listen."""


class ServerLink:
    """Carries lines between one client and one child until either ends."""

    def __init__(
        self,
        number: int,
        child: Child,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.number = number
        self._child = child
        self._reader, self._writer = reader, writer
        self._outgoing: list[bytes] = []

    def deliver(self, line: bytes) -> None:
        """Hand a line to the client; one that does not read for long is cut off.

        What comes in one turn of the loop leaves in one piece: the transport looks at all that it
        holds at every write, which would make many short lines cost their number squared.
        """
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(line)

    def _flush(self) -> None:
        transport = self._writer.transport
        lines, self._outgoing = self._outgoing, []
        if not lines or transport.is_closing():
            return
        self._writer.write(b"\n".join((*lines, b"")))
        if transport.get_write_buffer_size() > UNREAD_BYTES + self._child.spec.caps.line_bytes:
            log.warning("a client of stdio server %s does not read", self._child.spec.name)
            transport.abort()

    async def carry(self) -> None:
        """Serve the client until it leaves or the child ends."""
        self._child.traffic.attach(self)
        reading = asyncio.create_task(self._read())
        ended = asyncio.create_task(self._child.ended.wait())
        try:
            await asyncio.wait({reading, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._child.traffic.forget(self)
            for task in (reading, ended):
                task.cancel()
            await asyncio.wait({reading, ended})
            self._flush()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._writer.drain()

    async def _read(self) -> None:
        splitter = LineSplitter(REQUEST_BYTES)
        try:
            while chunk := await self._reader.read(CHUNK):
                for line in splitter.feed(chunk):
                    self._take(read_message(line), line)
        except (LineTooLong, MalformedMessage) as error:
            log.warning("a client of stdio server %s: %s", self._child.spec.name, error)
        except OSError:
            pass

    def _take(self, message: Message, line: bytes) -> None:
        if message.kind == "request":
            request_id = message.id
            if (
                type(request_id) is not int
                or link.link_of(request_id) != self.number
                or self._child.traffic.is_known(request_id)
                or message.method not in METHODS
            ):
                raise MalformedMessage(f"a request that may not be made: {message.method[:64]!r}")
            self._child.traffic.submit(
                self,
                request_id,
                line,
                is_stream=message.method == "subscriptions/listen",
                is_call=message.method not in READINGS,
            )
            return
        if message.kind in ("response", "error"):
            self._child.traffic.answer(self, message.id, line)
            return
        if message.method != "notifications/cancelled":
            raise MalformedMessage("only requests and cancellations travel this way")
        cancelled = (message.body.get("params") or {}).get("requestId")
        if type(cancelled) is not int or link.link_of(cancelled) != self.number:
            raise MalformedMessage("a cancellation of somebody else's request")
        self._child.traffic.cancel(cancelled, line)
