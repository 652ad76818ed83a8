"""What every upstream session can do, whatever its transport.

The transports supply `_send`, which carries one line and brings its answer; what the line says,
how its answer is waited for, paging and caps are here.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from mcpbridge.calls.tool_call import LOG_LEVELS
from mcpbridge.upstream import envelope
from mcpbridge.upstream.client.flight import (
    Answer,
    ExchangeFailed,
    Flight,
    HttpRefusal,
    wait_for_answer,
)
from mcpbridge.upstream.client.outgoing import CallOptions, OnAnnouncement, Outgoing
from mcpbridge.upstream.client.paging import Listed, input_schemas, read_all
from mcpbridge.upstream.client.reading import reply_of
from mcpbridge.upstream.envelope import BadArguments, Era
from mcpbridge.upstream.errors import (
    NothingSent,
    OutcomeUnknown,
    RequestFailed,
    Unknown,
    UpstreamUnavailable,
)
from mcpbridge.upstream.negotiation import Agreement
from mcpbridge.upstream.notifications import Wanted
from mcpbridge.upstream.replies import Message, ToolReply, result_reply, tool_reply
from mcpbridge.upstream.spec import Timeouts, UpstreamSpec

log = logging.getLogger(__name__)


class UpstreamSession(ABC):
    """An open, negotiated session with one upstream, shared by many calls at once."""

    is_shared_process: ClassVar[bool] = False
    """Whether other processes speak to the very same server process."""

    def __init__(self, spec: UpstreamSpec, scope: str) -> None:
        self.spec = spec
        self.scope = scope
        self.in_flight = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._schemas: dict[str, Mapping[str, Any]] = {}
        self._log_level = ""
        self.on_announcement: OnAnnouncement | None = None

    @property
    @abstractmethod
    def agreement(self) -> Agreement:
        """What the handshake settled."""

    @property
    @abstractmethod
    def usable(self) -> bool:
        """Whether a new call may be given to this session."""

    @property
    def era(self) -> Era:
        """Modern (2026-07-28) or legacy."""
        return self.agreement.era

    @property
    def protocol_version(self) -> str:
        """The revision in use."""
        return self.agreement.version

    @property
    def server_info(self) -> Mapping[str, Any]:
        """The server's name and version, in its own words."""
        return self.agreement.server_info

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """The server's capabilities, in its own words."""
        return self.agreement.capabilities

    async def call_tool(
        self, *, name: str, arguments: bytes, **options: Unpack[CallOptions]
    ) -> ToolReply:
        """Make one call, once. `arguments` are canonical JSON bytes and leave as they are.

        Raises NothingSent or OutcomeUnknown, and QuestionsAsked to one who may be asked.
        """
        flight, asking = self._flight(options), options.get("asking")
        schema = options.get("input_schema")
        schema = schema if schema is not None else self._schemas.get(name)
        try:
            line = envelope.call_line(
                request_id=flight.id,
                name=name,
                arguments=arguments,
                meta=self._meta_of(flight, options),
                beside=asking.params() if asking is not None else None,
            )
            extra = self._parameter_headers(schema, arguments)
        except BadArguments as error:
            raise NothingSent(str(error)) from None
        sent = Outgoing(flight=flight, line=line, method="tools/call", name=name, headers=extra)
        return reply_of(await self._carry(sent, options), tool_reply, asking)

    async def request(
        self, method: str, params: Mapping[str, Any], **options: Unpack[CallOptions]
    ) -> ToolReply:
        """Make one request of any other kind, once; its result comes back whole.

        Raises NothingSent or OutcomeUnknown, and QuestionsAsked to one who may be asked.
        """
        flight, asking = self._flight(options), options.get("asking")
        beside = asking.params() if asking is not None else {}
        line = envelope.request_line(
            request_id=flight.id,
            method=method,
            params={**params, **beside},
            meta=self._meta_of(flight, options),
        )
        key = envelope.NAME_BEARING.get(method)
        name = params[key] if key else None
        sent = Outgoing(flight=flight, line=line, method=method, name=name)
        return reply_of(await self._carry(sent, options), result_reply, asking)

    async def _ask(self, method: str, params: Mapping[str, Any]) -> Message:
        """Send a request without side effects. Raises RequestFailed or UpstreamUnavailable."""
        flight = self._flight({}, is_call=False)
        line = envelope.request_line(
            request_id=flight.id, method=method, params=params, meta=self._meta_of(flight, {})
        )
        try:
            answer = await self._carry(Outgoing(flight=flight, line=line, method=method), {})
        except NothingSent as error:
            raise UpstreamUnavailable(error.detail) from error
        except OutcomeUnknown as error:
            raise RequestFailed(f"{method} got no answer: {error}") from error
        if isinstance(answer, HttpRefusal):
            raise RequestFailed(f"{method} was answered with HTTP status {answer.status}")
        return answer

    def _flight(self, options: CallOptions, *, is_call: bool = True) -> Flight:
        return Flight(
            self._next_id(),
            options.get("on_progress"),
            self.spec.caps.notifications,
            options.get("on_late_reply"),
            on_log=options.get("on_log"),
            on_announcement=self.announce,
            is_call=is_call,
            asking=options.get("asking"),
        )

    def _meta_of(self, flight: Flight, options: CallOptions) -> dict[str, Any]:
        asking = options.get("asking")
        return envelope.request_meta(
            self.era,
            self.protocol_version,
            extra=options.get("meta") or {},
            progress_token=flight.id if flight.on_progress is not None else None,
            capabilities=asking.capabilities if asking is not None else None,
        )

    def announce(self, message: Message) -> None:
        """Pass on what the server says to everybody who uses it."""
        if self.on_announcement is not None:
            self.on_announcement(self.spec.id, self.scope, message)

    async def _carry(self, sent: Outgoing, options: CallOptions) -> Answer:
        abort = options.get("abort")
        if abort is not None and abort.is_set():
            raise NothingSent("aborted before anything was sent")
        return await self._send(
            sent, abort=abort, timeouts=options.get("timeouts") or self.spec.timeouts
        )

    @abstractmethod
    def _next_id(self) -> int:
        """The id of the next request."""

    @abstractmethod
    async def _send(
        self, sent: Outgoing, *, abort: asyncio.Event | None, timeouts: Timeouts
    ) -> Answer:
        """Send one request and wait for its answer. Raises NothingSent or OutcomeUnknown."""

    def _parameter_headers(
        self, schema: Mapping[str, Any] | None, arguments: bytes
    ) -> dict[str, str]:
        """Arguments that travel as headers, too: over HTTP only. Raises BadArguments."""
        return {}

    @abstractmethod
    async def _abandon(self, flight: Flight, task: asyncio.Task[Any], reason: Unknown) -> None:
        """Stop waiting for a request and tell the server so.

        Clears `flight.departed` where it turns out that the request never reached the server.
        """

    async def _follow(
        self,
        flight: Flight,
        task: asyncio.Task[Any],
        *,
        abort: asyncio.Event | None,
        timeouts: Timeouts,
        first_byte: bool,
    ) -> Any:
        """Wait for one exchange. Raises NothingSent or OutcomeUnknown."""
        self.in_flight += 1
        self.idle.clear()
        try:
            gave_up = await wait_for_answer(
                task, flight, timeouts=timeouts, abort=abort, first_byte=first_byte
            )
            if gave_up is None:
                return task.result()
            await self._abandon(flight, task, gave_up)
        except asyncio.CancelledError:
            await self._abandon(flight, task, Unknown.ABORTED)
            raise
        except ExchangeFailed as failure:
            raise failure.named(departed=flight.departed) from failure
        except Exception as error:
            log.exception("an exchange with upstream %s broke unexpectedly", self.spec.name)
            broken = ExchangeFailed(Unknown.MALFORMED, f"broken: {type(error).__name__}")
            raise broken.named(departed=flight.departed) from error
        finally:
            flight.questions.stop()
            self.in_flight -= 1
            if not self.in_flight:
                self.idle.set()
        if not flight.departed:
            raise NothingSent(f"{gave_up.value} before anything was sent")
        raise OutcomeUnknown(gave_up)

    @abstractmethod
    async def listen(self, wanted: Wanted, *, opened: asyncio.Event) -> None:
        """Keep open what the server announces `wanted` on; return or raise when that has ended.

        `opened` is set once it stands. What is heard goes to `announce`. Raises RequestFailed,
        or NoStream where the server never announces anything.
        """

    async def ask_for_logs(self, level: str) -> None:
        """Have a legacy server send log messages of `level` and above; best effort.

        The session is shared: it is asked for more where somebody wants more, never for less.
        """
        if self.era == "modern" or "logging" not in self.capabilities:
            return
        if self._log_level and LOG_LEVELS.index(self._log_level) <= LOG_LEVELS.index(level):
            return
        before, self._log_level = self._log_level, level
        try:
            await self._ask("logging/setLevel", {"level": level})
        except (RequestFailed, UpstreamUnavailable) as error:
            self._log_level = before
            log.info("upstream %s does not take a log level: %s", self.spec.name, error)

    @abstractmethod
    async def close(self) -> None:
        """End the session; calls in flight end as unknown."""

    async def list_tools(self) -> list[dict[str, Any]]:
        """Return all tool definitions as the server wrote them. Raises RequestFailed."""
        tools = (await self.list_all("tools/list", "tools", most=self.spec.caps.tools)).items
        self._schemas = input_schemas(tools)
        return tools

    async def list_all(self, method: str, key: str, *, most: int) -> Listed:
        """Return everything that a listing method lists. Raises RequestFailed."""
        caps, seconds = self.spec.caps, self.spec.timeouts.total
        return await read_all(
            self._ask,
            method,
            key,
            most_items=most,
            most_bytes=2 * caps.result_bytes,
            seconds=seconds,
        )
