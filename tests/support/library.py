"""An upstream that lends books: resources, prompts, completion, log messages, announcements.

The official SDK's server on a real socket in the test's own event loop. What it was asked stands
in `asked`; `announce` says that something changed. `era="legacy"` refuses the newer handshake.
"""

from __future__ import annotations

import asyncio
import socket
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.session import ServerSession
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types import (
    INVALID_PARAMS,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
)

from tests.support.waiting import eventually_async

CACHED: tuple[Any, ...] = (
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
)
EVENTS = {
    "tools": ToolsListChanged(),
    "prompts": PromptsListChanged(),
    "resources": ResourcesListChanged(),
}


@dataclass
class Library:
    """What the upstream offers, and what happened to it."""

    era: str = "both"
    books: dict[str, str] = field(default_factory=lambda: {"book://moby": "Call me Ishmael."})
    template: str = "shelf://{row}/{book}"
    prompts: list[str] = field(default_factory=lambda: ["summarise"])
    page: int = 2
    url: str = ""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    metas: list[tuple[str, Any]] = field(default_factory=list)
    hold: asyncio.Event | None = None
    sessions: dict[str, list[ServerSession]] = field(default_factory=dict)
    bus: InMemorySubscriptionBus = field(default_factory=InMemorySubscriptionBus)
    listening: int = 0
    raw: dict[int, Any] = field(default_factory=dict)

    def methods(self) -> list[str]:
        return [method for method, _ in self.asked]

    async def announce(self, kind: str) -> None:
        """Say that a list changed, to everybody who listens in either era."""
        await self.bus.publish(EVENTS[kind])
        for session in self.sessions.get("", []):
            await getattr(session, f"send_{kind[:-1]}_list_changed")()

    async def update(self, uri: str) -> None:
        """Say that a book changed."""
        await self.bus.publish(ResourceUpdated(uri=uri))
        for session in self.sessions.get(uri, []):
            await session.send_resource_updated(uri)

    # -- what the server does -----------------------------------------------------------------

    def server(self) -> Server[Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            server: Server[Any] = _Server(
                "library",
                version="1",
                on_list_tools=self._whole(self._tools),
                on_call_tool=self._whole(self._call),
                on_list_resources=self._whole(self._resources),
                on_list_resource_templates=self._whole(self._templates),
                on_read_resource=self._whole(self._read),
                on_list_prompts=self._whole(self._list_prompts),
                on_get_prompt=self._whole(self._prompt),
                on_completion=self._whole(self._complete),
                on_set_logging_level=self._whole(self._level),
                on_subscribe_resource=self._whole(self._subscribe),
                on_unsubscribe_resource=self._whole(self._unsubscribe),
                on_subscriptions_listen=self._listen(ListenHandler(self.bus)),
                cache_hints=dict.fromkeys(CACHED, CacheHint(ttl_ms=0, scope="public")),
            )
        server.middleware[:] = [self._unsieved]
        return server

    def _whole(self, handler: Any) -> Any:
        async def noting(ctx: Any, params: Any) -> Any:
            given = params.model_dump(by_alias=True, mode="json", exclude_none=True)
            self.metas.append((ctx.method, given.pop("_meta", {})))
            self.asked.append((ctx.method, given))
            if (session := ctx.session) is not None and ctx.protocol_version < "2026":
                known = self.sessions.setdefault("", [])
                if all(one._connection is not session._connection for one in known):
                    known.append(session)
            result = await handler(ctx, params)
            self.raw[id(ctx.request)] = result
            return (
                {"resultType": "complete", **result} if ctx.protocol_version >= "2026" else result
            )

        return noting

    async def _unsieved(self, ctx: Any, call_next: Any) -> Any:
        """Put fields back that the SDK does not know."""
        shaped = await call_next(ctx)
        raw = self.raw.pop(id(ctx.request), None)
        return shaped if raw is None else {**shaped, **raw}

    def _listen(self, handler: ListenHandler) -> Any:
        async def counting(ctx: Any, params: Any) -> Any:
            given = params.notifications.model_dump(by_alias=True, exclude_none=True)
            self.asked.append((ctx.method, given))
            self.listening += 1
            try:
                return await handler(ctx, params)
            finally:
                self.listening -= 1

        return counting

    async def _tools(self, ctx: Any, params: Any) -> Any:
        return {"tools": [{"name": "lend", "inputSchema": {"type": "object"}}]}

    async def _call(self, ctx: Any, params: Any) -> Any:
        given = dict(params.arguments or {})
        if "announce" in given:
            await self.announce(str(given["announce"]))
        if "update" in given:
            await self.update(str(given["update"]))
        await _say(ctx, "debug", "looking")
        await _say(ctx, "warning", "the book is late")
        if self.hold is not None:
            await self.hold.wait()
        return {
            "content": [{"type": "text", "text": "lent"}],
            "structuredContent": {"days": 14},
            "_meta": {"library/shelf": 7},
            "xKept": {"a": [1]},
        }

    async def _resources(self, ctx: Any, params: Any) -> Any:
        start = int(params.cursor or 0)
        names = list(self.books)
        shown = [
            {"uri": uri, "name": uri, "xRare": True} for uri in names[start : start + self.page]
        ]
        more = start + self.page
        return {"resources": shown, **({"nextCursor": str(more)} if more < len(names) else {})}

    async def _templates(self, ctx: Any, params: Any) -> Any:
        return {"resourceTemplates": [{"uriTemplate": self.template, "name": "a shelf"}]}

    async def _read(self, ctx: Any, params: Any) -> Any:
        uri = str(params.uri)
        await _say(ctx, "info", "reading")
        text = self.books.get(uri, "from the shelf" if uri.startswith("shelf://") else None)
        if text is None:
            code = -32002 if ctx.protocol_version < "2026" else INVALID_PARAMS
            raise MCPError(code=code, message="Resource not found", data={"uri": uri})
        return {
            "contents": [{"uri": uri, "mimeType": "text/plain", "text": text, "xPage": 1}],
            "_meta": {"library/loans": 3},
            "ttlMs": 1234,
            "cacheScope": "public",
        }

    async def _list_prompts(self, ctx: Any, params: Any) -> Any:
        arguments = [{"name": "style", "required": True}]
        return {"prompts": [{"name": name, "arguments": arguments} for name in self.prompts]}

    async def _prompt(self, ctx: Any, params: Any) -> Any:
        said = f"{params.name} {dict(params.arguments or {})}"
        return {
            "description": "how to read",
            "messages": [{"role": "user", "content": {"type": "text", "text": said}}],
            "_meta": {"library/kind": "prompt"},
        }

    async def _complete(self, ctx: Any, params: Any) -> Any:
        return {"completion": {"values": ["short", "shorter"], "total": 2, "hasMore": False}}

    async def _level(self, ctx: Any, params: Any) -> Any:
        return {}

    async def _subscribe(self, ctx: Any, params: Any) -> Any:
        self.sessions.setdefault(str(params.uri), []).append(ctx.session)
        return {}

    async def _unsubscribe(self, ctx: Any, params: Any) -> Any:
        self.sessions.pop(str(params.uri), None)
        return {}


class _Server(Server[Any]):
    """Says in the older handshake, too, that its lists change."""

    def create_initialization_options(self, notification_options: Any = None, *more: Any) -> Any:
        options = NotificationOptions(
            prompts_changed=True, resources_changed=True, tools_changed=True
        )
        return super().create_initialization_options(options, *more)


async def _say(ctx: Any, level: Any, data: str) -> None:
    wanted = (ctx.meta or {}).get("io.modelcontextprotocol/logLevel")
    if ctx.protocol_version >= "2026" and wanted is None:
        return
    said = LoggingMessageNotificationParams(level=level, data=data, logger="desk")
    await ctx.session.send_notification(
        LoggingMessageNotification(params=said), related_request_id=ctx.request_id
    )


def _older(app: Any) -> Any:
    async def answering(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", []))
        if headers.get(b"mcp-protocol-version", b"").startswith(b"2026"):
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return answering


@asynccontextmanager
async def opened(library: Library | None = None) -> AsyncIterator[Library]:
    """Run a library until left."""
    library = library or Library()
    manager = StreamableHTTPSessionManager(app=library.server())
    app: Any = manager.handle_request
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(
                _older(app) if library.era == "legacy" else app,
                interface="asgi3",
                lifespan="off",
                log_config=None,
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        async with manager.run():
            running = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                await eventually_async(lambda: server.started)
                library.url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
                yield library
            finally:
                server.should_exit = True
                server.force_exit = True
                await running
