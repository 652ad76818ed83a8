"""One running stdio server: its process, its pipes, and who waits for which answer.

Knows the sandbox's launch and the link protocol; knows no database and no lease. Lines pass
through byte for byte; they are parsed only to route them and to refuse what is not JSON-RPC.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mcp_types.jsonrpc import METHOD_NOT_FOUND

from mcpbridge.upstream import envelope, link
from mcpbridge.upstream.envelope import Era
from mcpbridge.upstream.errors import Unknown, UpstreamUnavailable
from mcpbridge.upstream.lines import LineSplitter, LineTooLong
from mcpbridge.upstream.negotiation import Agreement, negotiate
from mcpbridge.upstream.replies import MalformedMessage, Message, read_message
from mcpbridge.upstream.sandbox import Launch
from mcpbridge.upstream.spec import UpstreamSpec
from mcpbridge.upstream.stdio.chatter import Chatter

log = logging.getLogger(__name__)

CHUNK = 256 * 1024
QUEUE_LINES = 1024
QUEUE_BYTES = 64 * 1024 * 1024
GARBAGE_BYTES = 64 * 1024
MAX_SIDE_REQUESTS = 1000
PROBE_SECONDS = 10.0
START_SECONDS = 30.0
END_SECONDS = 2.0
MAX_ABANDONED = 1024


class Waiter(Protocol):
    """A link, as a child sees it."""

    number: int

    def deliver(self, line: bytes) -> None:
        """Take one line for the client; never blocks."""


@dataclass
class _Waiting:
    waiter: Waiter
    sent: bool = False
    notifications: int = 0


class DiedInProbe(UpstreamUnavailable):
    """The server ended at a question of the other protocol era."""


class Child:
    """A started server. `ended` is set once it is gone, `why` then says in a word."""

    def __init__(self, spec: UpstreamSpec, process: asyncio.subprocess.Process) -> None:
        self.spec = spec
        self.agreement = Agreement(era="legacy", version="")
        self.ended = asyncio.Event()
        self.settled = asyncio.Event()
        self.settled.set()
        self.why = Unknown.EOF
        self.detail = "the server ended"
        self.refused_requests = 0
        self.chatter = Chatter(spec)
        self._process = process
        self._waiting: dict[int, _Waiting] = {}
        self._abandoned: dict[int, Waiter] = {}
        self._newest: dict[int, int] = {}
        self._highest_link = 0
        self._waiters: list[Waiter] = []
        self._own: dict[int, asyncio.Future[Message]] = {}
        self._next_own = 0
        self._queue: deque[tuple[int | None, bytes]] = deque()
        self._queued_bytes = 0
        self._queue_filled = asyncio.Event()
        self._garbage = 0
        self._tasks = [
            asyncio.create_task(self._write()),
            asyncio.create_task(self._read()),
            asyncio.create_task(self.chatter.follow(self._pipe(process.stderr))),
        ]
        self._watch = asyncio.create_task(self._wait())

    @classmethod
    async def start(cls, spec: UpstreamSpec, launch: Launch, *, probe: bool) -> Child:
        """Start the process and negotiate. Raises UpstreamUnavailable, leaving nothing behind."""
        try:
            process = await asyncio.create_subprocess_exec(
                *launch.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=launch.environment,
                cwd=launch.cwd,
                start_new_session=True,
                limit=CHUNK,
            )
        except OSError as error:
            raise UpstreamUnavailable(
                f"the server's process cannot be started: {error.strerror}"
            ) from error
        child = cls(spec, process)
        try:
            async with asyncio.timeout(START_SECONDS):
                child.agreement = await negotiate(child._ask, child._announce, probe=probe)
        except BaseException as error:
            crashed = child.ended.is_set() and child.why is Unknown.EOF
            await child.end("it did not start properly")
            if isinstance(error, TimeoutError):
                raise UpstreamUnavailable("the server did not answer initialize in time") from None
            if crashed and isinstance(error, UpstreamUnavailable):
                said = child.chatter.last_words()
                kind = DiedInProbe if probe else UpstreamUnavailable
                raise kind(f"the server ended while starting{said}") from error
            raise
        return child

    def attach(self, waiter: Waiter) -> None:
        """Take a client in."""
        self._waiters.append(waiter)
        self._highest_link = max(self._highest_link, waiter.number)

    def submit(self, waiter: Waiter, request_id: int, line: bytes) -> None:
        """Queue a client's request. Refuses with a verdict where the queue is full."""
        full = len(self._queue) >= QUEUE_LINES or self._queued_bytes + len(line) > QUEUE_BYTES
        if self.ended.is_set() or full:
            ended = self.ended.is_set()
            waiter.deliver(
                link.verdict(
                    request_id=request_id,
                    sent=False,
                    reason=Unknown.EOF.value,
                    detail="the server ended" if ended else "the server does not keep up",
                    ended=ended,
                )
            )
            return
        self._waiting[request_id] = _Waiting(waiter)
        self.settled.clear()
        self._newest[waiter.number] = request_id
        self._enqueue(request_id, line)

    def is_known(self, request_id: int) -> bool:
        """Whether the id is in use."""
        return request_id in self._waiting or request_id in self._abandoned

    def cancel(self, request_id: int, line: bytes) -> None:
        """Drop a request that was not written yet; else tell the server. The client hears which."""
        waiting = self._take_waiting(request_id)
        if waiting is None:
            return
        waiting.waiter.deliver(
            link.verdict(request_id=request_id, sent=waiting.sent, reason=Unknown.ABORTED.value)
        )
        if waiting.sent:
            self._abandoned[request_id] = waiting.waiter
            while len(self._abandoned) > MAX_ABANDONED:
                self._abandoned.pop(next(iter(self._abandoned)))
            self._enqueue(None, line)

    def forget(self, waiter: Waiter) -> None:
        """A client went away: withdraw what it waits for."""
        for request_id, waiting in list(self._waiting.items()):
            if waiting.waiter is waiter:
                params = {"requestId": request_id, "reason": "the client went away"}
                line = envelope.notification_line("notifications/cancelled", params)
                self.cancel(request_id, line)
        for request_id, abandoned_by in list(self._abandoned.items()):
            if abandoned_by is waiter:
                del self._abandoned[request_id]
        self._newest.pop(waiter.number, None)
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    def _take_waiting(self, request_id: int) -> _Waiting | None:
        waiting = self._waiting.pop(request_id, None)
        if not self._waiting:
            self.settled.set()
        return waiting

    async def end(self, detail: str, why: Unknown = Unknown.EOF, *, grace: float = 0.0) -> None:
        """End the server with all that belongs to it, and wait until it is gone.

        With `grace` (seconds) its input is closed first, so that it can end by itself.
        """
        if grace and not self.ended.is_set():
            self.detail = detail
            self._pipe(self._process.stdin).close()
            await asyncio.wait({self._watch}, timeout=grace)
        self._break_off(detail, why)
        await asyncio.wait({self._watch})

    def _break_off(self, detail: str, why: Unknown) -> None:
        if self.ended.is_set():
            return
        if self.detail == "the server ended":
            self.why, self.detail = why, detail
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        loop = asyncio.get_running_loop()
        loop.call_later(END_SECONDS, self._kill_if_running)

    def _kill_if_running(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _wait(self) -> None:
        await self._process.wait()
        await asyncio.wait({self._tasks[1]}, timeout=END_SECONDS)
        self._tell_everybody()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(set(self._tasks))
        self._pipe(self._process.stdin).close()

    def _tell_everybody(self) -> None:
        for future in self._own.values():
            if not future.done():
                future.set_exception(UpstreamUnavailable(self.detail))
        for request_id, waiting in self._waiting.items():
            waiting.waiter.deliver(
                link.verdict(
                    request_id=request_id,
                    sent=waiting.sent,
                    reason=self.why.value,
                    detail=self.detail,
                    ended=True,
                )
            )
        self._waiting.clear()
        self.settled.set()
        self.ended.set()

    @staticmethod
    def _pipe(pipe: Any) -> Any:
        if pipe is None:
            raise RuntimeError("the process was started without its pipes")
        return pipe

    def _enqueue(self, request_id: int | None, line: bytes) -> None:
        self._queue.append((request_id, line))
        self._queued_bytes += len(line)
        self._queue_filled.set()

    async def _write(self) -> None:
        stdin = self._pipe(self._process.stdin)
        with contextlib.suppress(OSError):
            while True:
                await self._queue_filled.wait()
                while self._queue:
                    request_id, line = self._queue.popleft()
                    self._queued_bytes -= len(line)
                    if request_id is not None:
                        waiting = self._waiting.get(request_id)
                        if waiting is None:
                            continue
                        waiting.sent = True
                    stdin.write(line + b"\n")
                    await stdin.drain()
                self._queue_filled.clear()

    async def _read(self) -> None:
        splitter = LineSplitter(self.spec.caps.line_bytes)
        stdout = self._pipe(self._process.stdout)
        try:
            while chunk := await stdout.read(CHUNK):
                for line in splitter.feed(chunk):
                    self._route(line)
            self._break_off("the server closed its output", Unknown.EOF)
        except LineTooLong as error:
            self._break_off(str(error), Unknown.OVERSIZE)
        except MalformedMessage as error:
            self._break_off(str(error), Unknown.MALFORMED)
        except _NeverAsked as error:
            self._break_off(str(error), Unknown.WRONG_ID)
        except _TooMuch as error:
            self._break_off(str(error), Unknown.OVERSIZE)

    def _route(self, line: bytes) -> None:
        try:
            message = read_message(line)
            if link.KEY in message.body:
                raise MalformedMessage("the server imitates the host")
        except MalformedMessage:
            self._garbage += len(line) + 1
            if self._garbage > GARBAGE_BYTES:
                raise
            self.chatter.hear(line)
            return
        if message.kind == "notification":
            self._route_notification(message, line)
        elif message.kind == "request":
            self._answer(message)
        elif message.id is None:
            self.chatter.hear(line)
        else:
            self._route_answer(message, line)

    def _route_answer(self, message: Message, line: bytes) -> None:
        request_id = message.id
        number = link.link_of(request_id)
        if type(request_id) is int:
            own = self._own.pop(request_id, None)
            if own is not None:
                if not own.done():
                    own.set_result(message)
                return
            waiting = self._take_waiting(request_id)
            if waiting is not None:
                waiting.waiter.deliver(line)
                return
            late = self._abandoned.pop(request_id, None)
            if late is not None:
                late.deliver(line)
                return
        newest = self._next_own if number == 0 else self._newest.get(number or 0, request_id)
        if number is None or number > self._highest_link or request_id > newest:  # type: ignore[operator]  # None was asked first
            raise _NeverAsked("the server answered a request that was never made")

    def _route_notification(self, message: Message, line: bytes) -> None:
        if message.method == "notifications/progress":
            token = (message.body.get("params") or {}).get("progressToken")
            waiting = self._waiting.get(token) if type(token) is int else None
            if waiting is None:
                return
            waiting.notifications += 1
            if waiting.notifications > 4 * self.spec.caps.notifications:
                raise _TooMuch("the server sends progress without end")
            waiting.waiter.deliver(line)
        elif message.method == "notifications/tools/list_changed":
            for waiter in self._waiters:
                waiter.deliver(line)

    def _answer(self, message: Message) -> None:
        """Answer a server's own request: `ping` is served, everything else is refused."""
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": message.id}
        if message.method == "ping":
            body["result"] = {}
        else:
            self.refused_requests += 1
            body["error"] = {
                "code": METHOD_NOT_FOUND,
                "message": "this client does not answer requests of the server",
            }
        if self.refused_requests > MAX_SIDE_REQUESTS or len(self._queue) >= QUEUE_LINES:
            raise _TooMuch("the server keeps asking questions")
        self._enqueue(None, envelope.dump(body))

    async def _ask(
        self, method: str, params: Mapping[str, Any], era: Era, version: str
    ) -> Message | None:
        self._next_own += 1
        request_id = self._next_own
        meta = envelope.request_meta(era, version, extra={}, progress_token=None)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._own[request_id] = future
        if self.ended.is_set():
            raise UpstreamUnavailable(self.detail)
        self._enqueue(
            None,
            envelope.request_line(request_id=request_id, method=method, params=params, meta=meta),
        )
        patience = PROBE_SECONDS if method == "server/discover" else START_SECONDS
        try:
            await asyncio.wait({future}, timeout=patience)
        finally:
            self._own.pop(request_id, None)
        return future.result() if future.done() else None

    async def _announce(self, method: str, version: str) -> None:
        self._enqueue(None, envelope.notification_line(method))


class _NeverAsked(Exception):
    """The server answered an id that nobody used."""


class _TooMuch(Exception):
    """The server sends more than its caps allow."""
