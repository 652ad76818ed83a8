"""Who waits for which answer of a stdio server, and what is still to be written to it.

Knows no process and no socket: lines come in, lines are queued, waiters get theirs. Lines pass
through byte for byte; they are parsed only to route them and to refuse what is not JSON-RPC.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from mcpbridge.upstream import envelope, link
from mcpbridge.upstream.errors import Unknown
from mcpbridge.upstream.notifications import ACKNOWLEDGED, ANNOUNCEMENTS, LOG, SUBSCRIPTION_ID
from mcpbridge.upstream.questions import METHODS
from mcpbridge.upstream.replies import MalformedMessage, Message, read_message
from mcpbridge.upstream.stdio.patience import Patience, TooMuch

QUEUE_LINES = 1024
QUEUE_BYTES = 64 * 1024 * 1024
MAX_ABANDONED = 1024


class NeverAsked(Exception):
    """The server answered an id that was never sent to it."""


class Waiter(Protocol):
    """A link to a client, as the traffic sees it."""

    number: int

    def deliver(self, line: bytes) -> None:
        """Take one line for the client; never blocks."""


@dataclass
class _Waiting:
    waiter: Waiter
    is_stream: bool = False  # it stays open for announcements; nobody waits for its answer
    is_call: bool = True  # somebody's, whom a question could be put to
    sent: bool = False
    notifications: int = 0


class Traffic:
    """The requests of all clients of one server. `settled` is set while nobody waits."""

    def __init__(self, *, max_notifications: int, one_agent: bool = False) -> None:
        self.settled = asyncio.Event()
        self.settled.set()
        self.refused_requests = 0
        self._over: str | None = None
        self._patience = Patience(max_notifications=max_notifications)
        self._waiting: dict[int, _Waiting] = {}
        self._abandoned: dict[int, _Waiting] = {}
        self._newest: dict[int, int] = {0: 0}
        self._highest_link = 0
        self._waiters: list[Waiter] = []
        self._own: dict[int, asyncio.Future[Message]] = {}
        self._queue: deque[tuple[int | None, bytes]] = deque()
        self._queued_bytes = 0
        self._queue_filled = asyncio.Event()
        self._one_agent = one_agent
        self._questions: dict[int | str | None, int] = {}

    def attach(self, waiter: Waiter) -> None:
        """Take a client in."""
        self._waiters.append(waiter)
        self._highest_link = max(self._highest_link, waiter.number)

    def submit(
        self,
        waiter: Waiter,
        request_id: int,
        line: bytes,
        *,
        is_stream: bool = False,
        is_call: bool = True,
    ) -> None:
        """Queue a client's request. Refuses with a verdict where it cannot be sent any more."""
        full = len(self._queue) >= QUEUE_LINES or self._queued_bytes + len(line) > QUEUE_BYTES
        if self._over is not None or full:
            waiter.deliver(
                link.verdict(
                    request_id=request_id,
                    sent=False,
                    reason=Unknown.EOF.value,
                    detail=self._over or "the server does not keep up",
                    ended=self._over is not None,
                )
            )
            return
        self._waiting[request_id] = _Waiting(waiter, is_stream, is_call and not is_stream)
        self._settle()
        self._newest[waiter.number] = request_id
        self.enqueue(line, request_id)

    def is_known(self, request_id: int) -> bool:
        """Whether the id is in use."""
        return request_id in self._waiting or request_id in self._abandoned

    def cancel(self, request_id: int, line: bytes) -> None:
        """Drop a request that was not written yet, else tell the server; the client hears which."""
        waiting = self._take(request_id)
        if waiting is None:
            return
        waiting.waiter.deliver(
            link.verdict(request_id=request_id, sent=waiting.sent, reason=Unknown.ABORTED.value)
        )
        if waiting.sent:
            self._abandoned[request_id] = waiting
            while len(self._abandoned) > MAX_ABANDONED:
                self._abandoned.pop(next(iter(self._abandoned)))
            self.enqueue(line)

    def forget(self, waiter: Waiter) -> None:
        """A client went away: withdraw what it waits for."""
        for request_id, waiting in list(self._waiting.items()):
            if waiting.waiter is waiter:
                params = {"requestId": request_id, "reason": "the client went away"}
                line = envelope.notification_line("notifications/cancelled", params)
                self.cancel(request_id, line)
        for request_id, abandoned in list(self._abandoned.items()):
            if abandoned.waiter is waiter:
                del self._abandoned[request_id]
        self._newest.pop(waiter.number, None)
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    def ask(self, request_id: int, line: bytes) -> asyncio.Future[Message]:
        """Queue a request of the host itself, whose ids belong to link 0."""
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._own[request_id] = future
        self._newest[0] = request_id
        future.add_done_callback(lambda _: self._own.pop(request_id, None))
        if self._over is None:
            self.enqueue(line)
        else:
            future.cancel()
        return future

    def finish(self, why: Unknown, detail: str) -> None:
        """The server is gone: everybody hears what became of their request."""
        self._over = detail
        for future in list(self._own.values()):
            future.cancel()
        for request_id, waiting in self._waiting.items():
            waiting.waiter.deliver(
                link.verdict(
                    request_id=request_id,
                    sent=waiting.sent,
                    reason=why.value,
                    detail=detail,
                    ended=True,
                )
            )
        self._waiting.clear()
        self.settled.set()

    def enqueue(self, line: bytes, request_id: int | None = None) -> None:
        """Queue a line to be written."""
        self._queue.append((request_id, line))
        self._queued_bytes += len(line)
        self._queue_filled.set()

    async def next_line(self) -> bytes:
        """Return the next line to write; a client's request counts as sent from here on."""
        while True:
            while self._queue:
                request_id, line = self._queue.popleft()
                self._queued_bytes -= len(line)
                if request_id is None:
                    return line
                waiting = self._waiting.get(request_id)
                if waiting is not None:
                    waiting.sent = True
                    return line
            self._queue_filled.clear()
            await self._queue_filled.wait()

    def route(self, line: bytes) -> bool:
        """Give a server's line to whom it belongs; False for tolerated noise.

        Raises MalformedMessage, NeverAsked or TooMuch: then the server must not go on.
        """
        try:
            message = read_message(line)
            if link.KEY in message.body:
                raise MalformedMessage("the server imitates the host")
        except MalformedMessage:
            if not self._patience.bears_garbage(line):
                raise
            return False
        if message.kind == "notification":
            self._route_notification(message, line)
        elif message.kind == "request":
            self._answer(message)
        elif message.id is None:
            return False
        else:
            self._route_answer(message, line)
        return True

    def _take(self, request_id: int) -> _Waiting | None:
        waiting = self._waiting.pop(request_id, None)
        self._close_questions(request_id)
        self._settle()
        return waiting

    def _settle(self) -> None:
        if all(waiting.is_stream for waiting in self._waiting.values()):
            self.settled.set()
        else:
            self.settled.clear()

    def _route_answer(self, message: Message, line: bytes) -> None:
        request_id = message.id
        number = link.link_of(request_id)
        if number is None or not isinstance(request_id, int) or number > self._highest_link:
            raise NeverAsked("the server answered a request that was never made")
        self._patience.answered()
        if request_id in self._own:
            if not self._own[request_id].done():
                self._own[request_id].set_result(message)
        elif request_id in self._waiting:
            if not self._waiting[request_id].sent:
                raise NeverAsked("the server answered a request before it was sent")
            self._waiting.pop(request_id).waiter.deliver(line)
            self._close_questions(request_id)
            self._settle()
        elif request_id in self._abandoned:
            self._abandoned.pop(request_id).waiter.deliver(line)
        elif request_id > self._newest.get(number, request_id):
            raise NeverAsked("the server answered a request that was never made")

    def _route_notification(self, message: Message, line: bytes) -> None:
        if message.method == "notifications/progress":
            token = (message.body.get("params") or {}).get("progressToken")
            waiting = self._waiting.get(token) if type(token) is int else None
            if waiting is None:
                self._patience.unasked()
                return
            waiting.notifications += 1
            self._patience.progressed(waiting.notifications)
            waiting.waiter.deliver(line)
            return
        self._patience.unasked()
        if message.method in ANNOUNCEMENTS:
            for waiter in self._waiters:
                waiter.deliver(line)
        elif message.method == LOG:
            call = self._asking_call()
            if call is not None:
                self._waiting[call].waiter.deliver(line)
        elif message.method == ACKNOWLEDGED:
            meta = (message.body.get("params") or {}).get("_meta")
            named = meta.get(SUBSCRIPTION_ID) if isinstance(meta, dict) else None
            stream = self._waiting.get(named) if type(named) is int else None
            if stream is not None:
                stream.waiter.deliver(line)

    def answer(self, waiter: Waiter, request_id: int | str | None, line: bytes) -> None:
        """Pass a client's answer on. One to a question that was not put to it is dropped."""
        call = self._questions.get(request_id)
        if call is not None and call in self._waiting and self._waiting[call].waiter is waiter:
            del self._questions[request_id]
            self.enqueue(line)

    def _answer(self, message: Message) -> None:
        """Take a server's own request: `ping` is served, a question put to the call it is of."""
        self._patience.asked()
        if len(self._queue) >= QUEUE_LINES:
            raise TooMuch("the server keeps asking questions")
        if message.method == "ping":
            self.enqueue(envelope.dump({"jsonrpc": "2.0", "id": message.id, "result": {}}))
            return
        call = self._asking_call() if message.method in METHODS else None
        if call is None or message.id in self._questions:
            self.refused_requests += 1
            self.enqueue(envelope.dump(envelope.refused_request(message.id)))
            return
        self._questions[message.id] = call
        self._waiting[call].waiter.deliver(link.question(call=call, message=message.body))

    def _asking_call(self) -> int | None:
        """The one call that a question or a log message can be of; None where several could be.

        A line does not say which call it belongs to. So there must be one call in flight, and,
        where agents share the server, none that was given up and may still be running.
        """
        calls = [call for call, waiting in self._waiting.items() if waiting.is_call]
        given_up = any(abandoned.is_call for abandoned in self._abandoned.values())
        if len(calls) != 1 or (given_up and not self._one_agent):
            return None
        return calls[0] if self._waiting[calls[0]].sent else None

    def _close_questions(self, call: int) -> None:
        """The call is over: what it asked and nobody answered is refused."""
        for request_id in [key for key, of in self._questions.items() if of == call]:
            del self._questions[request_id]
            self.enqueue(envelope.dump(envelope.refused_request(request_id)))
