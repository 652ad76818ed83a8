"""A session with a stdio server, through the host process that owns it.

Knows the link protocol, not processes or sandboxes. The host says for every request that gets no
answer whether it reached the server; if the host itself vanishes, the outcome is unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from mcpbridge.upstream import envelope, link
from mcpbridge.upstream.client.flight import (
    Answer,
    ExchangeFailed,
    Flight,
    OnLateReply,
    stop,
)
from mcpbridge.upstream.client.greeting import Greeting, greet
from mcpbridge.upstream.client.listening import NoStream
from mcpbridge.upstream.client.outgoing import Outgoing
from mcpbridge.upstream.client.session import UpstreamSession
from mcpbridge.upstream.errors import RequestFailed, Unknown
from mcpbridge.upstream.lines import LineSplitter, LineTooLong
from mcpbridge.upstream.negotiation import Agreement
from mcpbridge.upstream.notifications import ACKNOWLEDGED, ANNOUNCEMENTS, LOG, Wanted
from mcpbridge.upstream.replies import (
    MalformedMessage,
    Message,
    load,
    read_message,
    tool_reply,
)
from mcpbridge.upstream.spec import Timeouts, UpstreamSpec

CHUNK = 256 * 1024
VERDICT_SECONDS = 0.5
MAX_ABANDONED = 256


class StdioSession(UpstreamSession):
    """One link to the stdio host, for one upstream and scope; it lives as long as the child."""

    is_shared_process = True

    def __init__(
        self,
        spec: UpstreamSpec,
        scope: str,
        greeting: Greeting,
        *,
        on_late_reply: OnLateReply | None,
    ) -> None:
        super().__init__(spec, scope)
        self._reader, self._writer = greeting.reader, greeting.writer
        self._agreement = greeting.agreement
        self._last_id = link.first_id(greeting.number)
        self.sandbox = greeting.sandbox
        self._on_late_reply = on_late_reply
        self._flights: dict[int, tuple[Flight, asyncio.Future[Message]]] = {}
        self._abandoned: dict[int, Flight] = {}
        self._streams: dict[int, asyncio.Event] = {}  # of announcements; they are no calls
        self._gone = False
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def open(
        cls,
        spec: UpstreamSpec,
        scope: str,
        *,
        socket_path: str,
        secret: bytes,
        on_late_reply: OnLateReply | None = None,
    ) -> StdioSession:
        """Connect to the host, which starts the server if need be. Raises UpstreamUnavailable."""
        greeting = await greet(spec, scope, socket_path=socket_path, secret=secret)
        return cls(spec, scope, greeting, on_late_reply=on_late_reply)

    @property
    def agreement(self) -> Agreement:
        """What the host's handshake with the server settled."""
        return self._agreement

    @property
    def usable(self) -> bool:
        """Whether the link still stands."""
        return not self._gone

    async def close(self) -> None:
        """Give the link up; the host tells the server about calls still open."""
        self._gone = True
        self._writer.close()
        await stop(self._listening)
        self._fail_all("the session was closed")

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    async def _send(
        self, sent: Outgoing, *, abort: asyncio.Event | None, timeouts: Timeouts
    ) -> Answer:
        task = asyncio.create_task(self._exchange(sent.flight, sent.line))
        answer: Message = await self._follow(
            sent.flight, task, abort=abort, timeouts=timeouts, first_byte=False
        )
        return answer

    async def listen(self, wanted: Wanted, *, opened: asyncio.Event) -> None:
        """Wait for the link's end: what the server announces comes by itself (legacy).

        A modern server is asked; the answer to that request is the end of what it announces.
        """
        if self.era == "legacy":
            opened.set()
            await asyncio.wait({self._listening})
            return
        flight = self._flight({}, is_call=False)
        line = envelope.request_line(
            request_id=flight.id,
            method="subscriptions/listen",
            params={"notifications": wanted.filter()},
            meta=self._meta_of(flight, {}),
        )
        self._streams[flight.id] = opened
        try:
            answer = await self._exchange(flight, line)
        except ExchangeFailed as failure:
            raise RequestFailed(failure.detail) from failure
        finally:
            del self._streams[flight.id]
            if self._flights.pop(flight.id, None) is not None and not self._gone:
                self._writer.write(_cancelled(flight.id, Unknown.ABORTED) + b"\n")
        if answer.kind == "error":
            raise NoStream(f"refused ({answer.body['error']['code']})")

    async def _exchange(self, flight: Flight, line: bytes) -> Message:
        if self._gone:
            raise ExchangeFailed(Unknown.EOF, "the stdio server is not running any more")
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._flights[flight.id] = (flight, future)
        flight.departed = True
        try:
            self._writer.write(line + b"\n")
            await self._writer.drain()
        except OSError:
            raise ExchangeFailed(Unknown.EOF, "the stdio host went away") from None
        return await future

    async def _abandon(self, flight: Flight, task: asyncio.Task[Any], reason: Unknown) -> None:
        """Tell the server to stop, and hear from the host whether it ever got the call."""
        if not flight.departed or self._gone:
            await stop(task)
            self._flights.pop(flight.id, None)
            return
        self._writer.write(_cancelled(flight.id, reason) + b"\n")
        await asyncio.wait({task}, timeout=VERDICT_SECONDS)
        if not task.done():
            self._abandoned[flight.id] = flight
            while len(self._abandoned) > MAX_ABANDONED:
                self._abandoned.pop(next(iter(self._abandoned)))
            await stop(task)
        elif task.exception() is None:
            self._late(flight, task.result())
        self._flights.pop(flight.id, None)

    async def _listen(self) -> None:
        splitter = LineSplitter(self.spec.caps.line_bytes + link.ENVELOPE_BYTES)
        detail = "the stdio host went away"
        try:
            while chunk := await self._reader.read(CHUNK):
                for line in splitter.feed(chunk):
                    self._take(line)
        except (LineTooLong, MalformedMessage) as error:
            detail = str(error)
        except OSError:
            pass
        finally:
            self._gone = True
            self._writer.close()
            self._fail_all(detail)

    def _take(self, line: bytes) -> None:
        if line.startswith(b'{"placet":'):
            body = load(line)
            if body[link.KEY] == link.QUESTION:
                self._take_question(body)
            else:
                self._take_verdict(body)
            return
        message = read_message(line)
        if message.kind == "notification":
            self._take_notification(message)
            return
        request_id = message.id
        if type(request_id) is not int or message.kind == "request":
            return
        waiting = self._flights.pop(request_id, None)
        if waiting is not None and not waiting[1].done():
            waiting[1].set_result(message)
        elif request_id in self._abandoned:
            self._late(self._abandoned.pop(request_id), message)

    def _take_verdict(self, body: dict[str, Any]) -> None:
        self._gone = self._gone or body["ended"]
        waiting = self._flights.pop(body["id"], None)
        if waiting is None:
            return
        flight, future = waiting
        if body["sent"] is not True:
            flight.departed = False
        if body["sent"] is True and body["reason"] == Unknown.ABORTED:
            self._abandoned[flight.id] = flight
        if not future.done():
            future.set_exception(ExchangeFailed(Unknown(body["reason"]), body["detail"]))

    def _take_question(self, body: dict[str, Any]) -> None:
        """A request of the server that the host attributes to one of our calls."""
        message = read_message(envelope.dump(body["question"]))
        waiting = self._flights.get(body["call"])
        if waiting is None or not waiting[0].questions.take(message, self._reply_line):
            self._writer.write(envelope.dump(envelope.refused_request(message.id)) + b"\n")

    async def _reply_line(self, line: bytes) -> None:
        if not self._gone:
            self._writer.write(line + b"\n")

    def _take_notification(self, message: Message) -> None:
        waiting = self._meant_by(message)
        if waiting is None:
            if message.method in ANNOUNCEMENTS:
                self.announce(message)
            elif message.method == ACKNOWLEDGED:
                for opened in self._streams.values():
                    opened.set()
            return
        flight, future = waiting
        try:
            flight.notice(message)
        except ExchangeFailed as failure:
            if not future.done():
                future.set_exception(failure)

    def _meant_by(self, message: Message) -> tuple[Flight, asyncio.Future[Message]] | None:
        """The request that a notification is about.

        A log message names none: it belongs to a call where only one is under way.
        """
        if message.method == LOG:
            calls = [waiting for waiting in self._flights.values() if waiting[0].is_call]
            return calls[0] if len(calls) == 1 else None
        token = (message.body.get("params") or {}).get("progressToken")
        return self._flights.get(token) if type(token) is int else None

    def _late(self, flight: Flight, message: Message) -> None:
        with contextlib.suppress(MalformedMessage):
            flight.late(tool_reply(message), self._on_late_reply, self.spec.id)

    def _fail_all(self, detail: str) -> None:
        for _, future in self._flights.values():
            if not future.done():
                future.set_exception(ExchangeFailed(Unknown.EOF, detail))
        self._flights.clear()


def _cancelled(request_id: int, reason: Unknown) -> bytes:
    return envelope.notification_line(
        "notifications/cancelled", {"requestId": request_id, "reason": reason.value}
    )
