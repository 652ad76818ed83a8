"""What every upstream session can do, whatever its transport.

The transports supply `_ask` (a request without side effects) and `call_tool`; listing, paging and
caps are here.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from mcpbridge.upstream.client.flight import ExchangeFailed, Flight, OnProgress, wait_for_answer
from mcpbridge.upstream.envelope import Era
from mcpbridge.upstream.errors import NothingSent, OutcomeUnknown, RequestFailed, Unknown
from mcpbridge.upstream.negotiation import Agreement
from mcpbridge.upstream.replies import Message, ToolReply
from mcpbridge.upstream.spec import Timeouts, UpstreamSpec

log = logging.getLogger(__name__)

MAX_PAGES = 500


class UpstreamSession(ABC):
    """An open, negotiated session with one upstream, shared by many calls at once."""

    def __init__(self, spec: UpstreamSpec, scope: str) -> None:
        self.spec = spec
        self.scope = scope
        self.in_flight = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._schemas: dict[str, Mapping[str, Any]] = {}

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

    @abstractmethod
    async def call_tool(
        self,
        *,
        name: str,
        arguments: bytes,
        meta: Mapping[str, Any] | None = None,
        on_progress: OnProgress | None = None,
        on_late_reply: Callable[[ToolReply], None] | None = None,
        abort: asyncio.Event | None = None,
        timeouts: Timeouts | None = None,
        input_schema: Mapping[str, Any] | None = None,
    ) -> ToolReply:
        """Make one call, once. `arguments` are canonical JSON bytes and leave as they are.

        `meta` may hold trace context; its progress token is replaced by one of ours, which is sent
        when `on_progress` is given. `on_late_reply` gets an answer to this call that came after
        we had given up. `input_schema` is the pinned schema, needed only for tools that mirror
        parameters in headers. Raises NothingSent or OutcomeUnknown.
        """

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
            self.in_flight -= 1
            if not self.in_flight:
                self.idle.set()
        if not flight.departed:
            raise NothingSent(f"{gave_up.value} before anything was sent")
        raise OutcomeUnknown(gave_up)

    @abstractmethod
    async def _ask(self, method: str, params: Mapping[str, Any]) -> Message:
        """Send a request without side effects. Raises RequestFailed or UpstreamUnavailable."""

    @abstractmethod
    async def close(self) -> None:
        """End the session; calls in flight end as unknown."""

    async def list_tools(self) -> list[dict[str, Any]]:
        """Return all tool definitions as the server wrote them. Raises RequestFailed."""
        try:
            async with asyncio.timeout(self.spec.timeouts.total):
                return await self._all_pages()
        except TimeoutError:
            raise RequestFailed("tools/list did not end in time") from None

    async def _all_pages(self) -> list[dict[str, Any]]:
        tools: list[dict[str, Any]] = []
        cursor: str | None = None
        seen: set[str] = set()
        size = 0
        for _ in range(MAX_PAGES):
            page, page_size = await self._page({} if cursor is None else {"cursor": cursor})
            size += page_size
            if size > 2 * self.spec.caps.result_bytes:
                raise RequestFailed("its tool definitions are larger than a result may be")
            tools.extend(page["tools"])
            if len(tools) > self.spec.caps.tools:
                raise RequestFailed(f"lists more than {self.spec.caps.tools} tools")
            cursor = page.get("nextCursor")
            if cursor is None:
                self._remember(tools)
                return tools
            if not isinstance(cursor, str) or cursor in seen:
                raise RequestFailed("tools/list hands out a cursor that leads nowhere")
            seen.add(cursor)
        raise RequestFailed(f"tools/list has more than {MAX_PAGES} pages")

    async def _page(self, params: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        answer = await self._ask("tools/list", params)
        if answer.kind == "error":
            error = answer.body["error"]
            raise RequestFailed(
                f"tools/list was refused: {error['message'][:200]!r} ({error['code']})"
            )
        result: dict[str, Any] = answer.body["result"]
        tools = result.get("tools")
        if not isinstance(tools, list) or not all(
            isinstance(tool, dict) and isinstance(tool.get("name"), str) for tool in tools
        ):
            raise RequestFailed("tools/list did not answer with a list of named tools")
        return result, answer.size

    def _remember(self, tools: list[dict[str, Any]]) -> None:
        self._schemas = {
            tool["name"]: tool["inputSchema"]
            for tool in tools
            if isinstance(tool.get("inputSchema"), dict)
        }
