"""One HTTP request at the agents' face, from its verified sender to its last written byte.

Wraps the server's `receive` and `send`: it notices a closed connection in both eras, makes
Daphne send its headers at once, and knows whether the answer was written out. Handlers reach it
through the ASGI scope. Knows no ticket and no policy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mcp.server.context import ServerRequestContext

from mcpbridge.calls.principal import Principal
from mcpbridge.server.edge import Arrived
from mcpbridge.server.wire import Message, Receive, Scope, Send

SCOPE_KEY: Final = "placet.exchange"


class Exchange:
    """The request's sender, its endpoint, its strictly read message, and what became of it."""

    def __init__(self, *, principal: Principal, upstream: str | None, arrived: Arrived) -> None:
        self.principal = principal
        self.upstream = upstream  # None: all upstreams, under prefixed names
        self.arrived = arrived
        self.result: dict[str, Any] | None = None  # what replaces the SDK's typed result
        self.result_type = "complete"  # or "input_required", "task": of 2026 revisions
        self.session = ""  # the id of the session it came in (2025 revisions)
        self.log_level = ""  # what the agent's session wants of log messages (2025 revisions)
        self.cancelled = False  # the agent said so (2025 revisions); a closed stream is `gone`
        self.gone = False
        self.is_stream = False  # the response began as an event stream
        self.on_record = False  # a transaction at the gate's epoch stands behind the answer
        self._finished = False
        self._handlers = 0
        self._responding = True
        self._on_gone: list[Callable[[], None]] = []
        self._on_written: list[Callable[[], None]] = []
        self._on_over: list[Callable[[], None]] = []

    # -- what handlers ask for -----------------------------------------------------------------

    def on_gone(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back when the agent closes the connection; returns how to stop that."""
        self._on_gone.append(callback)
        if self.gone:
            callback()
        return lambda: self._on_gone.remove(callback) if callback in self._on_gone else None

    def on_written(self, callback: Callable[[], None]) -> None:
        """Call back once the whole response was handed to the connection, and only then."""
        self._on_written.append(callback)

    def on_over(self, callback: Callable[[], None]) -> None:
        """Call back when neither the response nor a handler of this request runs any more."""
        self._on_over.append(callback)

    def enter(self) -> None:
        """A handler of this request begins."""
        self._handlers += 1

    def leave(self) -> None:
        """A handler of this request ended."""
        self._handlers -= 1
        self._settle()

    # -- what the application does ---------------------------------------------------------------

    @property
    def counts_delivery(self) -> bool:
        """Whether it matters to somebody that the response was written out."""
        return bool(self._on_written)

    async def until_gone(self, receive: Receive) -> None:
        """Return when the agent has closed the connection. For whoever has read the body."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._disconnected()

    def let_go_of_body(self) -> None:
        """Keep the message only: a call may be held for hours."""
        self.arrived = self.arrived.without_raw()

    def receiving(self, receive: Receive) -> Receive:
        """The body again, then the connection's own messages, watched for the disconnect."""
        replayed = False

        async def watched() -> Message:
            nonlocal replayed
            if not replayed:
                replayed = True
                body, self.arrived = self.arrived.raw, self.arrived.without_raw()
                return {"type": "http.request", "body": body, "more_body": False}
            message = await receive()
            if message["type"] == "http.disconnect":
                self._disconnected()
            return message

        return watched

    def sending(self, send: Send) -> Send:
        """The connection's `send`; an empty chunk follows the headers of an event stream."""

        async def watched(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start" and _is_stream(message):
                self.is_stream = True
                # Daphne keeps the headers back until the first body bytes are written.
                await send({"type": "http.response.body", "body": b"", "more_body": True})
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                self._finished = True

        return watched

    def responded(self) -> None:
        """The response is over, written or not."""
        if self._finished and not self.gone:
            for callback in self._on_written:
                callback()
        self._responding = False
        self._settle()

    def _disconnected(self) -> None:
        if self._finished or self.gone:
            return
        self.gone = True
        for callback in list(self._on_gone):
            callback()

    def _settle(self) -> None:
        if self._responding or self._handlers:
            return
        callbacks, self._on_over = self._on_over, []
        for callback in callbacks:
            callback()


def exchange_of(ctx: ServerRequestContext[Any, Any]) -> Exchange:
    """The exchange behind a handler's context."""
    scope: Scope = ctx.request.scope if ctx.request is not None else {}
    exchange = scope.get(SCOPE_KEY)
    if not isinstance(exchange, Exchange):
        raise TypeError("a handler ran outside of an exchange of the agents' face")
    return exchange


def _is_stream(message: Message) -> bool:
    return any(
        key.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for key, value in message.get("headers", ())
    )
