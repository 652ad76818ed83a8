"""Completion of a prompt's or template's argument, by the upstream that has it."""

from __future__ import annotations

from typing import Any

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CompleteRequestParams, CompleteResult, Completion

from mcpbridge.calls.forwarded import COMPLETE, Forwarded
from mcpbridge.catalog.offered import Ambiguous, Place, place_of_template
from mcpbridge.server.methods import prompts
from mcpbridge.server.methods.asked import Asked, Context, asked_of, canonical_arguments
from mcpbridge.server.methods.forwarding import forward
from mcpbridge.server.methods.lists import sources_of
from mcpbridge.server.methods.parts import Parts


def register(server: Server[Any], parts: Parts) -> None:
    """Serve completion."""
    server.add_request_handler("completion/complete", CompleteRequestParams, complete)


async def complete(ctx: Context, params: CompleteRequestParams) -> CompleteResult:
    """What the upstream answers, whole."""
    asked = asked_of(ctx)
    given = {key: value for key, value in asked.exchange.arrived.params.items() if key != "_meta"}
    reference = dict(given["ref"])
    if reference.get("type") == "ref/prompt":
        place = await prompts.place_of(asked, reference["name"], governed=COMPLETE)
        reference["name"] = place.name
    else:
        place = await _place_of_template(asked, str(reference.get("uri", "")))
        reference["uri"] = place.name
    sent = {**given, "ref": reference}
    request = Forwarded(
        upstream=place.upstream,
        method=COMPLETE,
        params=sent,
        recorded=canonical_arguments(sent),
        meta=asked.meta,
    )
    asked.exchange.result = await forward(asked, request)
    return CompleteResult(completion=Completion(values=[]))


async def _place_of_template(asked: Asked, uri: str) -> Place:
    exchange = asked.exchange
    if exchange.upstream is not None:
        return Place(upstream=exchange.upstream, name=uri)
    sources = await sources_of(exchange, COMPLETE)
    try:
        place = await place_of_template(exchange.principal, uri, sources)
    except Ambiguous as several:
        raise MCPError(
            code=INVALID_PARAMS,
            message=str(several),
            data={"uri": uri, "alternatives": several.addresses},
        ) from None
    if place is None:
        raise MCPError(
            code=INVALID_PARAMS, message="Resource template not found", data={"uri": uri}
        )
    return place
