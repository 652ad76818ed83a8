"""Daphne with what it lacks: lifespan, and bounds on requests that have not arrived whole.

Daphne hands a request to the application only when its last byte has come, so no application can
stop a body without end; here it is cut off by size and by time. Takes Daphne's own command line:
`python -m placet.daphne_server --fd 3 placet.asgi:application`. Knows nothing of what is served;
under plain Daphne or uvicorn the application runs the same.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Coroutine
from typing import Any, Final, override

from daphne.cli import CommandLineInterface
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from django.conf import settings
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred

logger = logging.getLogger(__name__)

ARRIVAL_SECONDS: Final = 30.0  # from a request's first line to its last byte
LINGER_SECONDS: Final = 5.0  # in which a sender may still read why it was refused
SHUTDOWN_SECONDS: Final = 3.0  # for the application's own end
SOCKET_BYTES: Final = 1024  # of a message of a browser; the first one ends its socket
AGENTS: Final = b"/mcp"
reactor: Any = _reactor  # Twisted's reactor is a module that is replaced at run time


class BoundedRequest(WebRequest):  # type: ignore[misc] # Daphne has no types
    """A request whose body ends in time and within the limit, or it ends the connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Only the application reads a body: Twisted would parse every form once more, on the loop.
        super().__init__(*args, **kwargs, parsePOSTFormSubmission=False)
        self._arrived = 0
        self._refused = False
        self._patience = reactor.callLater(ARRIVAL_SECONDS, self._too_slow)

    @override
    def gotLength(self, length: int | None) -> None:
        """The headers are here; a body that says it is too large is not waited for."""
        super().gotLength(length)
        if length is not None and length > self.server.max_body_bytes:
            self._too_large()

    @override
    def handleContentChunk(self, data: bytes) -> None:
        """A piece of the body."""
        if self._refused:
            return
        self._arrived += len(data)
        if self._arrived > self.server.max_body_bytes:
            self._too_large()
            return
        super().handleContentChunk(data)

    @override
    def process(self) -> Any:
        """The request is here as a whole: hand it to the application."""
        self._forget_the_clock()
        return None if self._refused else super().process()

    @override
    def connectionLost(self, reason: Any) -> None:
        """The sender is gone."""
        self._forget_the_clock()
        super().connectionLost(reason)

    def _forget_the_clock(self) -> None:
        if self._patience.active():
            self._patience.cancel()

    def _too_slow(self) -> None:
        self._refuse(408, f"the request did not arrive within {ARRIVAL_SECONDS:g} seconds")

    def _too_large(self) -> None:
        limit = self.server.max_body_bytes
        self._refuse(413, f"the body is larger than {limit} bytes", {"max_bytes": limit})

    def _refuse(self, status: int, why: str, data: dict[str, int] | None = None) -> None:
        """Answer, read on for a moment without keeping anything, and close.

        Closing at once would take the answer away from a sender that is still sending.
        """
        self._refused = True
        self._forget_the_clock()
        self.requestHeaders.removeHeader(b"expect")  # nobody is told to continue
        # Twisted hands the path to a request only with its last byte.
        path = getattr(self.channel, "_path", b"")
        kind, body = _explained(path, why, data)
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
        )
        transport = self.channel.transport
        transport.write("\r\n".join((*head, "", "")).encode("ascii") + body)
        self.channel.setTimeout(None)
        self.channel.dataReceived = _not_kept
        transport.loseWriteConnection()
        reactor.callLater(LINGER_SECONDS, transport.abortConnection)


_REASONS: Final = {408: "Request Timeout", 413: "Content Too Large"}


def _explained(path: bytes, why: str, data: dict[str, int] | None) -> tuple[str, bytes]:
    """The body of a refusal: a JSON-RPC error for agents, a line of text for others."""
    if path.startswith(AGENTS):
        error = {"code": -32600, "message": why, **({"data": data} if data else {})}
        refusal = {"jsonrpc": "2.0", "id": None, "error": error}
        return "application/json", json.dumps(refusal, separators=(",", ":")).encode()
    return "text/plain; charset=utf-8", f"{why}\n".encode()


def _not_kept(_data: bytes) -> None:
    """What still comes on a refused connection is read and forgotten."""


class BoundedFactory(HTTPFactory):  # type: ignore[misc] # Daphne has no types
    """Connections whose requests are bounded."""

    @override
    def buildProtocol(self, addr: Any) -> Any:
        """A connection."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = BoundedRequest
        return protocol

    @override
    def log(self, request: Any) -> None:
        """Spell no line for Twisted's access log, which goes nowhere; Daphne has its own."""


class LifespanServer(Server):  # type: ignore[misc] # Daphne has no types
    """A server whose application learns that it begins and that it ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_body_bytes = int(settings.ENV.max_body_bytes)
        # Nothing that a browser says on a socket is listened to, so nothing of it is kept.
        self.websocket_max_message_size = self.websocket_max_frame_size = SOCKET_BYTES
        self._lifespan: Lifespan | None = None

    @property
    def http_factory(self) -> BoundedFactory:
        """What makes connections: Daphne makes its own in `run`, this one takes its place."""
        return self._http_factory

    @http_factory.setter
    def http_factory(self, _daphnes: HTTPFactory) -> None:
        self._http_factory = BoundedFactory(self)

    @override
    def run(self) -> None:
        """Serve until told to stop."""
        self._lifespan = Lifespan(self.application)
        reactor.callWhenRunning(self._lifespan.begin)
        super().run()

    @override
    def kill_all_applications(self) -> Deferred[Any]:
        """Tell the application first: what it holds is let go of at once. Then end its requests."""
        ended = _deferred(self._lifespan.end() if self._lifespan is not None else _nothing())
        return ended.addBoth(lambda _: _deferred(self._end_requests()))

    async def _end_requests(self) -> None:
        running = [
            instance
            for details in self.connections.values()
            # A connection that is kept alive between two requests has none.
            if (instance := details.get("application_instance")) is not None and not instance.done()
        ]
        for instance in running:
            instance.cancel()
        if running:
            await asyncio.wait(running, timeout=1.0)


class Lifespan:
    """The ASGI lifespan of one application."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Tell the application that it is served from now on."""
        loop = asyncio.get_event_loop()
        self._messages.put_nowait({"type": "lifespan.startup"})
        self._task = loop.create_task(self._run(), name="lifespan")

    async def end(self) -> None:
        """Tell the application that it ends, and wait for it, but not for long."""
        if self._task is None:
            return
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        _done, late = await asyncio.wait({self._task}, timeout=SHUTDOWN_SECONDS)
        for task in late:
            task.cancel()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
        try:
            await self._application(scope, self._messages.get, _heard)
        except Exception:
            logger.exception("The application's lifespan ended in an error.")


async def _heard(_message: Any) -> None:
    """The application's answer; nothing waits for it but the end of its task."""


async def _nothing() -> None:
    """There is no lifespan to end."""


def _deferred(work: Coroutine[Any, Any, None]) -> Deferred[None]:
    return Deferred.fromFuture(asyncio.ensure_future(work, loop=asyncio.get_event_loop()))


class Command(CommandLineInterface):  # type: ignore[misc] # Daphne has no types
    """Daphne's command line, for this server."""

    server_class = LifespanServer


if __name__ == "__main__":
    Command().run(sys.argv[1:])
