"""What a handler reads of its request before it acts: who asks, how, and what of it counts.

Shared by all families. Knows no method, no ticket and no policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
)

from mcpbridge import conf
from mcpbridge.approvals_gateway import NotCanonical, canonical_bytes
from mcpbridge.calls.tool_call import (
    BadMeta,
    ClientDeclaration,
    RequestMeta,
    client_declaration,
    is_wanted,
    request_meta,
)
from mcpbridge.server.exchange import Exchange, exchange_of
from mcpbridge.server.holding import Report
from mcpbridge.server.paused import reporter
from mcpbridge.server.relay import Hears, SendLog, SendProgress
from mcpbridge.server.rendering import progress_message

type Context = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request of an agent as its handler sees it, whichever road it came by.

    What a method means is written once, against this: requests come through the SDK's server, and
    plain calls of tools past it (`mcpbridge.server.direct`).
    """

    exchange: Exchange
    client: ClientDeclaration
    meta: RequestMeta
    headers: Mapping[str, str]  # by lower-case names
    say: SendProgress  # one progress notification; only where `meta` has a progress token
    log: SendLog | None = None  # one log message of the upstream; None where none are wanted
    context: Context | None = None  # the SDK's, where it carries the request

    @property
    def hears(self) -> Hears:
        """How what the upstream says meanwhile reaches the agent."""
        progress = self.say if self.meta.progress_token is not None else None
        return Hears(progress=progress, log=self.log)

    def report(self) -> Report:
        """Says in progress notifications who is waited for; nothing without a token."""

        async def send(progress: float, message: str) -> None:
            if self.meta.progress_token is not None:
                await self.say(progress, None, message)

        return reporter(send, lambda view: progress_message(view, public_url=conf.public_url()))


def asked_of(ctx: Context) -> Asked:
    """The request behind a handler's context of the SDK. Raises MCPError."""
    exchange = exchange_of(ctx)
    client, meta = declared(ctx, exchange)
    if not client.is_modern:
        meta = replace(meta, log_level=exchange.log_level)
    return Asked(
        exchange=exchange,
        client=client,
        meta=meta,
        headers=ctx.request.headers if ctx.request is not None else {},
        say=ctx.session.report_progress,
        log=wanted_logs(_log_sender(ctx), client, meta),
        context=ctx,
    )


def wanted_logs(send: SendLog, client: ClientDeclaration, meta: RequestMeta) -> SendLog | None:
    """`send` for the log messages that are wanted; None where none are.

    A modern client gets those that it asked for in this request; an older one gets all until it
    sets a level for its session.
    """
    if client.is_modern and not meta.log_level:
        return None

    async def send_wanted(params: Mapping[str, Any]) -> None:
        if is_wanted(params.get("level"), meta.log_level):
            await send(params)

    return send_wanted


def _log_sender(ctx: Context) -> SendLog:
    """Sends log messages on the request's own stream."""

    async def send(params: Mapping[str, Any]) -> None:
        said = LoggingMessageNotificationParams.model_validate({"data": None, **params})
        await ctx.session.send_notification(
            LoggingMessageNotification(params=said), related_request_id=ctx.request_id
        )

    return send


def declared(ctx: Context, exchange: Exchange) -> tuple[ClientDeclaration, RequestMeta]:
    """What the client says of itself in this request, and what of its `_meta` counts.

    Raises MCPError (invalid params) for a `_meta` that cannot be understood.
    """
    try:
        return declared_client(ctx), request_meta(exchange.arrived.params.get("_meta"))
    except BadMeta as bad:
        raise MCPError(code=INVALID_PARAMS, message=str(bad)) from None


def declared_client(ctx: Context) -> ClientDeclaration:
    """What the client says of itself in this request."""
    given = ctx.session.client_params
    capabilities = ctx.session.client_capabilities
    return client_declaration(
        protocol_version=ctx.protocol_version,
        client_info=given.client_info.model_dump(mode="json") if given is not None else None,
        capabilities=(
            capabilities.model_dump(mode="json", by_alias=True, exclude_none=True)
            if capabilities is not None
            else None
        ),
    )


def canonical_arguments(arguments: dict[str, Any]) -> bytes:
    """The arguments as the bytes that are digested and sent. Raises MCPError."""
    try:
        return canonical_bytes(arguments)
    except NotCanonical as problem:
        raise MCPError(code=INVALID_PARAMS, message=f"arguments: {problem}") from None
