"""How the agent of a request is asked what an upstream wants to know: the wire's part of it.

Knows the SDK's session and the parameters of both eras; knows no policy and no upstream.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, cast

from django.db import transaction
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import CLIENT_CAPABILITIES_META_KEY, INVALID_PARAMS, ServerRequest
from pydantic import BaseModel, ConfigDict, ValidationError

from mcpbridge.offload import in_database
from mcpbridge.server.conversation import PURPOSE, Talk
from mcpbridge.server.methods.asked import Asked, Context
from mcpbridge.server.request_state import (
    Binding,
    OpenedState,
    StateRefused,
    open_state,
    redeem,
)
from mcpbridge.upstream.questions import FAILED_CODE, Answer, Question, refusal

logger = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 300.0
MOST_RESPONSES: Final = 64


class _Request(BaseModel):
    """A request as it came from the upstream: nothing of it is dropped."""

    method: str
    params: dict[str, Any]


class _Result(BaseModel):
    """A result as it came from the agent."""

    model_config = ConfigDict(extra="allow")


async def talk_of(asked: Asked, *, name: str, arguments_bytes: bytes) -> Talk:
    """How this request's agent can be asked. Raises MCPError for a state that is not honoured."""
    exchange, params = asked.exchange, asked.exchange.arrived.params
    binding = Binding.of(
        purpose=PURPOSE,
        agent_id=exchange.principal.agent_id,
        endpoint=f"/mcp/u/{exchange.upstream}" if exchange.upstream else "/mcp",
        method=exchange.arrived.method or "",
        name=name,
        arguments_bytes=arguments_bytes,
    )
    if not asked.client.is_modern:
        return Talk(declared=_declared(asked.context), binding=binding, ask=_asker(asked.context))
    meta = params.get("_meta")
    declared = meta.get(CLIENT_CAPABILITIES_META_KEY) if isinstance(meta, dict) else None
    responses = params.get("inputResponses")
    responses = responses if isinstance(responses, dict) else {}
    if len(responses) > MOST_RESPONSES:
        raise MCPError(
            code=INVALID_PARAMS, message=f"inputResponses has more than {MOST_RESPONSES} answers"
        )
    return Talk(
        declared=declared if isinstance(declared, dict) else {},
        binding=binding,
        responses=responses,
        resumed=await _resumed(params.get("requestState"), binding),
    )


async def _resumed(text: object, binding: Binding) -> Mapping[str, Any] | None:
    """What a state of ours says, used up; None where none was handed back. Raises MCPError."""
    if text is None:
        return None
    try:
        if not isinstance(text, str):
            raise StateRefused("requestState must be a string")
        opened = open_state(text, binding)
        await in_database(_use_up, opened)
    except StateRefused as refused:
        raise MCPError(
            code=INVALID_PARAMS, message=str(refused), data={"reason": refused.code}
        ) from None
    return opened.payload


def _use_up(opened: OpenedState) -> None:
    with transaction.atomic(durable=True):
        redeem(opened)


def _declared(ctx: Context | None) -> Mapping[str, Any]:
    """What a 2025 client declared when its session began."""
    found = ctx.session.client_capabilities if ctx is not None else None
    if found is None:
        return {}
    return found.model_dump(mode="json", by_alias=True, exclude_none=True)


def _asker(ctx: Context | None) -> Any:
    """Puts a question on the stream of the request itself, where no other agent can see it."""

    async def ask(question: Question) -> Answer:
        if ctx is None or ctx.request_id is None:
            return refusal("the agent cannot be asked")
        request = _Request(method=question.method, params=dict(question.params))
        try:
            result = await ctx.session.send_request(
                cast("ServerRequest", request),
                _Result,
                request_read_timeout_seconds=ANSWER_SECONDS,
                metadata=ServerMessageMetadata(related_request_id=ctx.request_id),
            )
        except MCPError as error:
            logger.debug("An agent refused a question: %s", error)
            return refusal("the agent did not answer", code=FAILED_CODE)
        except ValidationError:
            return refusal("the agent's answer was malformed", code=FAILED_CODE)
        return Answer(result=result.model_dump(mode="json"))

    return ask
