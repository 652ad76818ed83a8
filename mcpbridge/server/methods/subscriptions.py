"""`subscriptions/listen` for modern agents, `resources/subscribe` for sessions of older ones.

A modern agent's stream is the response to its request. An older session says what it wants, and
hears of it on its GET stream (`mcpbridge.server.get_stream`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    EmptyResult,
    NotificationParams,
    PromptListChangedNotification,
    ResourceListChangedNotification,
    ResourceUpdatedNotification,
    ResourceUpdatedNotificationParams,
    SubscribeRequestParams,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    ToolListChangedNotification,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel

from mcpbridge.calls.forwarded import SUBSCRIBE, Forwarded
from mcpbridge.catalog.offered import Place
from mcpbridge.executor.requests import note_done
from mcpbridge.server.edge import SESSION_HEADER
from mcpbridge.server.methods.asked import Asked, Context, asked_of, canonical_arguments
from mcpbridge.server.methods.forwarding import allow
from mcpbridge.server.methods.parts import Parts
from mcpbridge.server.methods.resources import place_of
from mcpbridge.server.subscriptions import (
    KINDS,
    LONGEST_URI,
    MOST_URIS,
    PACE_SECONDS,
    AgentStream,
    Said,
    TooManyStreams,
)
from mcpbridge.upstream.notifications import UPDATED


class _Other(BaseModel):
    """A notification that an extension says."""

    method: str
    params: dict[str, Any]


_CHANGED: dict[str, Any] = {
    "notifications/tools/list_changed": ToolListChangedNotification,
    "notifications/prompts/list_changed": PromptListChangedNotification,
    "notifications/resources/list_changed": ResourceListChangedNotification,
}


def register(server: Server[Any], parts: Parts) -> None:
    """Serve subscriptions."""
    family = Family(parts)
    server.add_request_handler(
        "subscriptions/listen", SubscriptionsListenRequestParams, family.listen
    )
    server.add_request_handler("resources/subscribe", SubscribeRequestParams, family.subscribe)
    server.add_request_handler(
        "resources/unsubscribe", UnsubscribeRequestParams, family.unsubscribe
    )


class Family:
    """Streams for modern agents, wishes of older sessions."""

    def __init__(self, parts: Parts) -> None:
        self._subscriptions = parts.subscriptions
        self._sessions = parts.listening

    async def listen(
        self, ctx: Context, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """One stream: acknowledged first, then what changes, until somebody ends it."""
        asked = asked_of(ctx)
        exchange = asked.exchange
        try:
            stream = self._subscriptions.open(exchange.principal, upstream=exchange.upstream)
        except TooManyStreams as many:
            raise MCPError(code=INTERNAL_ERROR, message=str(many)) from None
        meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        stops: list[Callable[[], None]] = []
        try:
            honored = await self._honored(asked, stream, params.notifications, stops)
            await ctx.session.send_notification(
                SubscriptionsAcknowledgedNotification(
                    params=SubscriptionsAcknowledgedNotificationParams(
                        notifications=honored, _meta=meta
                    )
                ),
                related_request_id=ctx.request_id,
            )
            while (batch := await stream.batch()) is not None:
                for said in batch:
                    await _send(ctx, said, meta)
                await asyncio.sleep(PACE_SECONDS)
        finally:
            for stop in stops:
                stop()
            stream.close()
        return SubscriptionsListenResult(_meta=meta)

    async def _honored(
        self,
        asked: Asked,
        stream: AgentStream,
        wanted: SubscriptionFilter,
        stops: list[Callable[[], None]],
    ) -> SubscriptionFilter:
        """Begin to listen for what may be heard of all that is wanted, and say what that is."""
        kinds = frozenset(kind for kind in KINDS if getattr(wanted, f"{kind}_list_changed") is True)
        uris: dict[str, Place] = {}
        for uri in dict.fromkeys((wanted.resource_subscriptions or [])[:MOST_URIS]):
            try:
                uris[uri] = await _may_watch(asked, uri)
            except MCPError:
                continue  # what is not honoured is left out of the acknowledgement
        await stream.want(kinds=kinds, uris=uris)
        more: dict[str, Any] = {}
        for key, given in (wanted.model_extra or {}).items():
            extension = self._subscriptions.extensions.get(key)
            if extension is not None:
                more[key], stop = await extension(stream, asked.client, given)
                stops.append(stop)
        changed = {f"{kind}_list_changed": True for kind in kinds}
        return SubscriptionFilter(
            **{**more, **changed, **({"resource_subscriptions": list(uris)} if uris else {})}
        )

    async def subscribe(self, ctx: Context, params: SubscribeRequestParams) -> EmptyResult:
        """The session wants to hear of one resource. Raises MCPError where it may not."""
        asked = asked_of(ctx)
        uri = str(params.uri)
        wishes = self._sessions.of(_session(ctx), agent=asked.exchange.principal.agent_id)
        if len(wishes.uris) >= MOST_URIS and uri not in wishes.uris:
            raise MCPError(
                code=INVALID_PARAMS,
                message=f"this session watches {MOST_URIS} resources, as many as it may",
            )
        place = await _may_watch(asked, uri)
        await wishes.change({**wishes.uris, uri: place})
        return EmptyResult()

    async def unsubscribe(self, ctx: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """The session does not want to hear of it any more."""
        asked = asked_of(ctx)
        wishes = self._sessions.of(_session(ctx), agent=asked.exchange.principal.agent_id)
        gone = str(params.uri)
        await wishes.change({uri: place for uri, place in wishes.uris.items() if uri != gone})
        return EmptyResult()


async def _may_watch(asked: Asked, uri: str) -> Place:
    """Where the resource is, once watching it is allowed and on record. Raises MCPError."""
    if len(uri) > LONGEST_URI:
        raise MCPError(
            code=INVALID_PARAMS, message=f"a watched URI has at most {LONGEST_URI} characters"
        )
    place = await place_of(asked, uri)
    watched = {"uri": place.name}
    allowed = await allow(
        asked,
        Forwarded(
            upstream=place.upstream,
            method=SUBSCRIBE,
            params=watched,
            recorded=canonical_arguments(watched),
            meta=asked.meta,
        ),
    )
    note_done(allowed)
    return place


async def _send(ctx: Context, said: Said, meta: Mapping[str, Any]) -> None:
    """One notification on the stream of this request."""
    tagged = {**dict(said.params.get("_meta") or {}), **meta}
    notification: Any
    if said.method == UPDATED:
        notification = ResourceUpdatedNotification(
            params=ResourceUpdatedNotificationParams(uri=said.params["uri"], _meta=tagged)
        )
    elif said.method in _CHANGED:
        notification = _CHANGED[said.method](params=NotificationParams(_meta=tagged))
    else:
        notification = _Other(method=said.method, params={**said.params, "_meta": tagged})
    await ctx.session.send_notification(notification, related_request_id=ctx.request_id)


def _session(ctx: Context) -> str:
    session = ctx.request.headers.get(SESSION_HEADER) if ctx.request is not None else None
    if session is None:
        raise MCPError(code=INVALID_PARAMS, message="there is no session to subscribe for")
    return str(session)
