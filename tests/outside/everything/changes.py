"""What the everything server remembers between requests: what changed, and who wants to know."""

from __future__ import annotations

import warnings
from typing import Any, get_args

from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourceUpdated,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types import LoggingLevel

from tests.outside.everything.offers import WATCHED
from tests.outside.everything.questions import Context, is_modern

LEVELS: tuple[str, ...] = get_args(LoggingLevel)


class Changes:
    """The changing part of one server process."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self.has_tool = False
        self.has_prompt = False
        self.revision = 0
        self._levels: dict[str, str] = {}  # by session
        self._watching: dict[tuple[str, str], Any] = {}  # by session and URI

    async def toggle_tool(self, ctx: Context) -> None:
        """Let a tool appear or vanish, and tell whoever listens."""
        self.has_tool = not self.has_tool
        await self.bus.publish(ToolsListChanged())
        if not is_modern(ctx):
            await ctx.session.send_tool_list_changed()

    async def toggle_prompt(self, ctx: Context) -> None:
        """Let a prompt appear or vanish, and tell whoever listens."""
        self.has_prompt = not self.has_prompt
        await self.bus.publish(PromptsListChanged())
        if not is_modern(ctx):
            await ctx.session.send_prompt_list_changed()

    async def update_watched(self) -> None:
        """Change the watched resource, and tell its subscribers."""
        self.revision += 1
        await self.bus.publish(ResourceUpdated(uri=WATCHED))
        for (_, uri), session in list(self._watching.items()):
            if uri == WATCHED:
                await session.send_resource_updated(uri)

    def watch(self, ctx: Context, uri: str) -> None:
        """An older client subscribes."""
        self._watching[session_of(ctx), uri] = ctx.session

    def forget(self, ctx: Context, uri: str) -> None:
        """An older client unsubscribes."""
        self._watching.pop((session_of(ctx), uri), None)

    def set_level(self, ctx: Context, level: str) -> None:
        """From which level on an older client wants to hear log messages."""
        self._levels[session_of(ctx)] = level

    async def log(self, ctx: Context, level: LoggingLevel, data: str) -> None:
        """Say something in the log of the request, if its client wants to hear it."""
        least = self._levels.get(session_of(ctx), LEVELS[0])
        if is_modern(ctx) or LEVELS.index(level) >= LEVELS.index(least):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MCPDeprecationWarning)
                await ctx.session.send_log_message(
                    level, data, logger="everything", related_request_id=ctx.request_id
                )


def session_of(ctx: Context) -> str:
    """The id of an older client's session; empty for a modern one."""
    headers = ctx.request.headers if ctx.request is not None else {}
    return str(headers.get("mcp-session-id", ""))
