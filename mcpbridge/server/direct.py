"""The short road of revision 2026-07-28: a plain `tools/call`, past the SDK's server.

Most requests are calls of tools that nothing is wrong with, and the SDK's server costs such a call
more than all the rest. So a request that passes the SDK's own checks, asked for here one by one,
is handed to the same handler (`mcpbridge.server.methods.tools`) directly; any other one goes to
the SDK, which says what is wrong with it. What a call means, and what its refusals say, thus
stands in one place each. Knows the wire of this revision and nothing of policy or tickets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from mcp.server.streamable_http import check_accept_headers
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import InboundModernRoute, classify_inbound_request
from mcp_types.methods import validate_client_request
from pydantic import ValidationError
from starlette.requests import Request

from mcpbridge.calls.naming import AWAIT_TICKET
from mcpbridge.calls.principal import Principal
from mcpbridge.calls.tool_call import (
    BadMeta,
    ClientDeclaration,
    RequestMeta,
    client_declaration,
    request_meta,
)
from mcpbridge.server.direct_answer import Answer
from mcpbridge.server.edge import SESSION_HEADER, Arrived
from mcpbridge.server.exchange import Exchange
from mcpbridge.server.methods.asked import Asked, wanted_logs
from mcpbridge.server.methods.tools import Tools
from mcpbridge.server.presenters import enveloped
from mcpbridge.server.wire import Receive, Scope, Send

logger = logging.getLogger(__name__)

type Confirm = Callable[[], Awaitable[Principal]]

VERSION: Final = "2026-07-28"
METHOD: Final = "tools/call"
_MESSAGE: Final = frozenset({"jsonrpc", "id", "method", "params"})
_PLAIN: Final = frozenset({"name", "arguments", "_meta"})
_LONGEST_ACCEPT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectCall:
    """A call that the SDK would find nothing wrong with."""

    name: str
    headers: Mapping[str, str]
    client: ClientDeclaration
    meta: RequestMeta
    is_plain: bool  # nothing but a name, arguments and `_meta`: it begins something new


def direct_call(scope: Scope, arrived: Arrived) -> DirectCall | None:
    """The message as a call for the short road; None where the SDK should look at it."""
    message = arrived.message
    if arrived.method != METHOD or arrived.request_id is None or not message.keys() <= _MESSAGE:
        return None
    lines = scope["headers"]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in lines}
    if len(headers) != len(lines) or SESSION_HEADER in headers:
        return None  # a header that stands twice may be read in two ways
    if headers.get("mcp-protocol-version") != VERSION or not _accepts(headers.get("accept", "")):
        return None
    route = classify_inbound_request(message, headers=headers)
    if not isinstance(route, InboundModernRoute):
        return None
    params = arrived.params
    try:
        validate_client_request(METHOD, VERSION, params)
        meta = request_meta(params["_meta"])
    except (ValidationError, BadMeta):
        return None
    return DirectCall(
        name=params["name"],
        headers=headers,
        client=client_declaration(
            protocol_version=VERSION,
            client_info=route.client_info,
            capabilities=route.client_capabilities,
        ),
        meta=meta,
        is_plain=params["name"] != AWAIT_TICKET and params.keys() <= _PLAIN,
    )


def _accepts(accept: str) -> bool:
    return len(accept) <= _LONGEST_ACCEPT and _accepts_both(accept)


@lru_cache(maxsize=256)
def _accepts_both(accept: str) -> bool:
    """Whether both forms of an answer are welcome, as the SDK reads it."""
    lines = [(b"accept", accept.encode("latin-1"))]
    return all(check_accept_headers(Request({"type": "http", "headers": lines})))


class DirectRoad:
    """Carries calls for which `direct_call` vouches."""

    def __init__(self, tools: Tools, server_info: Mapping[str, Any]) -> None:
        self._tools = tools
        self._server_info = server_info

    def call_in(self, scope: Scope, arrived: Arrived) -> DirectCall | None:
        """The message as a call for this road; None where the SDK should look at it."""
        return direct_call(scope, arrived)

    async def serve(
        self,
        call: DirectCall,
        exchange: Exchange,
        receive: Receive,
        send: Send,
        *,
        confirm: Confirm | None,
    ) -> None:
        """Make the call and write its answer.

        `confirm` verifies the agent's token by the rows, and is given where that was not done for
        this request. A call that is on record was checked when it was recorded; whatever else
        there is to tell is told after the token was confirmed. Raises Refused.
        """
        exchange.let_go_of_body()
        answer = Answer(
            exchange,
            receive,
            send,
            request_id=exchange.arrived.request_id,
            progress_token=call.meta.progress_token,
            confirm=confirm,
        )
        asked = Asked(
            exchange=exchange,
            client=call.client,
            meta=call.meta,
            headers=call.headers,
            say=answer.progress,
            log=wanted_logs(answer.log, call.client, call.meta),
        )
        try:
            try:
                await self._tools.call(asked, call.name)
            except MCPError as error:
                await answer.error(error.error)
            else:
                await self._tell(exchange, answer)
        except asyncio.CancelledError:
            if not answer.forgiven():
                raise
            logger.debug("An agent left before its call was answered.")
        finally:
            answer.stop()
            exchange.responded()

    async def _tell(self, exchange: Exchange, answer: Answer) -> None:
        if exchange.result is None:
            return  # its agent left
        whole = enveloped(
            exchange.result,
            result_type=exchange.result_type,
            is_modern=True,
            server_info=self._server_info,
        )
        await answer.result(whole)
