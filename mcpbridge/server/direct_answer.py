"""The answer of the short road, on the wire as the SDK writes it (2026-07-28, Streamable HTTP).

An answer that comes soon is one JSON body under the status of its error code. Once something has
to be said before it, or it keeps its agent waiting, the response is an event stream: notifications,
a comment every 15 s so that no proxy gives up, and the answer as its last event. Waiting costs one
timer and one task that notices a closed connection. Knows no method.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS
from mcp_types import ErrorData

from mcpbridge.server.exchange import Exchange
from mcpbridge.server.wire import Receive, Refused, RequestId, Send

WATCH_AFTER: Final = 0.05  # most calls are over by then, and pay for no watcher
PING_SECONDS: Final = 15.0
PING: Final = b": ping\r\n\r\n"
STREAM_HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
]
_spell = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Answer:
    """The response to one request: at most one result or error, and progress before it."""

    __slots__ = (
        "_confirm",
        "_exchange",
        "_id",
        "_left",
        "_lock",
        "_loop",
        "_pinging",
        "_receive",
        "_send",
        "_task",
        "_timer",
        "_token",
        "_watching",
    )

    def __init__(
        self,
        exchange: Exchange,
        receive: Receive,
        send: Send,
        *,
        request_id: RequestId,
        progress_token: str | int | None,
        confirm: Callable[[], Awaitable[object]] | None,
    ) -> None:
        self._exchange = exchange
        self._receive = receive
        self._send = exchange.sending(send)
        self._id = request_id
        self._token = progress_token
        self._confirm = confirm
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._left = False  # its agent has, and so the task is cancelled
        self._lock: asyncio.Lock | None = None  # a stream has two writers: calls, and pings
        self._pinging: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(WATCH_AFTER, self._watch)

    async def progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Send one progress notification; nothing where the request carries no token."""
        if self._token is None:
            return
        params: dict[str, Any] = {"progressToken": self._token, "progress": progress}
        if total is not None:
            params["total"] = total
        if message is not None:
            params["message"] = message
        said = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
        await self._write(_event(said))
        self._watch()

    async def log(self, params: Mapping[str, Any]) -> None:
        """Write one log message of the upstream."""
        said = {"jsonrpc": "2.0", "method": "notifications/message", "params": dict(params)}
        await self._write(_event(said))
        self._watch()

    async def result(self, result: Mapping[str, Any]) -> None:
        """Write the result and end the response. Raises Refused."""
        await self._finish({"jsonrpc": "2.0", "id": self._id, "result": result}, 200)

    async def error(self, error: ErrorData) -> None:
        """Write a JSON-RPC error and end the response. Raises Refused."""
        told: dict[str, Any] = {"code": error.code, "message": error.message}
        if error.data is not None:
            told["data"] = error.data
        status = ERROR_CODE_HTTP_STATUS.get(error.code, 200)
        await self._finish({"jsonrpc": "2.0", "id": self._id, "error": told}, status)

    def stop(self) -> None:
        """No more pings, and nobody watches the connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._watching is not None:
            self._watching.cancel()

    def forgiven(self) -> bool:
        """Whether a cancellation that was caught is ours alone; it is then as if it never was."""
        if self._task is None or not self._left:
            return False
        self._left = False
        return self._task.uncancel() == 0

    # -- waiting --------------------------------------------------------------------------------

    def _watch(self) -> None:
        """The call takes a while: notice when its agent leaves, and keep the connection alive."""
        if self._watching is None:
            self._watching = self._loop.create_task(self._until_gone())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._loop.call_later(PING_SECONDS, self._tick)

    async def _until_gone(self) -> None:
        """Let go of the request at once when its agent leaves, whatever it waits for."""
        await self._exchange.until_gone(self._receive)
        if self._exchange.gone and self._task is not None:
            self._left = True
            self._task.cancel()

    def _tick(self) -> None:
        self._pinging = self._loop.create_task(self._ping())

    async def _ping(self) -> None:
        with contextlib.suppress(Refused):  # told when the call is over
            await self._sure()
            await self._write(PING)
            self._watch()

    async def _sure(self) -> None:
        """Believe the agent's token only where a committed record or the rows confirm it."""
        if self._confirm is not None and not self._exchange.on_record:
            await self._confirm()
            self._confirm = None

    # -- writing --------------------------------------------------------------------------------

    async def _write(self, chunk: bytes, *, more: bool = True) -> None:
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            if not self._exchange.is_stream:
                start = {"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS}
                await self._send(start)
            await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def _finish(self, message: Mapping[str, Any], status: int) -> None:
        if self._exchange.counts_delivery and self._watching is None:
            self._watch()
            await asyncio.sleep(0)  # an agent that has left meanwhile gets nothing delivered
        self.stop()
        if self._pinging is not None:  # perhaps in the midst of beginning the stream
            await asyncio.wait({self._pinging})
        await self._sure()
        if self._exchange.is_stream:
            await self._write(_event(message), more=False)
            return
        body = _spell(message).encode()
        headers = [
            (b"content-length", str(len(body)).encode()),
            (b"content-type", b"application/json"),
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def _event(message: Mapping[str, Any]) -> bytes:
    return f"event: message\r\ndata: {_spell(message)}\r\n\r\n".encode()
