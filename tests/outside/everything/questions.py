"""How a tool asks its client something, in either era.

An older client is asked while its call is open, in that call's own stream. A modern one gets the
questions as its result and sends the call again with the answers.
"""

from __future__ import annotations

from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    CreateMessageRequest,
    CreateMessageResult,
    ElicitRequest,
    ElicitResult,
    ListRootsRequest,
    ListRootsResult,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

type Context = ServerRequestContext[Any, Any]
type Question = dict[str, Any]  # {"method": …, "params": …}

_SHAPES: dict[str, tuple[Any, Any]] = {
    "elicitation/create": (ElicitRequest, ElicitResult),
    "sampling/createMessage": (CreateMessageRequest, CreateMessageResult),
    "roots/list": (ListRootsRequest, ListRootsResult),
}
_ANSWERED_BY = {
    "elicitation/create": "action",
    "sampling/createMessage": "content",
    "roots/list": "roots",
}


class Asked(Exception):
    """The modern client has to answer first; carries the result that says so."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


def elicit(message: str, **properties: dict[str, Any]) -> Question:
    """A form for the client's user; every field is required."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    params = {"mode": "form", "message": message, "requestedSchema": schema}
    return {"method": "elicitation/create", "params": params}


def sample(prompt: str, *, max_tokens: int = 100) -> Question:
    """One message for the client's model."""
    messages = [{"role": "user", "content": {"type": "text", "text": prompt}}]
    params = {"messages": messages, "maxTokens": max_tokens}
    return {"method": "sampling/createMessage", "params": params}


def roots() -> Question:
    """Which folders the client works in."""
    return {"method": "roots/list", "params": {}}


def is_modern(ctx: Context) -> bool:
    """Whether this request speaks the stateless revision."""
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def state_of(ctx: Context) -> str | None:
    """The state that came back with this request."""
    state = (ctx.params or {}).get("requestState")
    return state if isinstance(state, str) else None


async def ask(ctx: Context, state: str | None = None, **questions: Question) -> dict[str, Any]:
    """The answers by name. Raises Asked while a modern client has not given all of them."""
    if not is_modern(ctx):
        return {name: await _ask_now(ctx, question) for name, question in questions.items()}
    given = (ctx.params or {}).get("inputResponses") or {}
    if all(_answers(question, given.get(name)) for name, question in questions.items()):
        return {name: given[name] for name in questions}
    result: dict[str, Any] = {"resultType": "input_required", "inputRequests": questions}
    if state is not None:
        result["requestState"] = state
    raise Asked(result)


def _answers(question: Question, answer: Any) -> bool:
    return isinstance(answer, dict) and _ANSWERED_BY[question["method"]] in answer


async def _ask_now(ctx: Context, question: Question) -> dict[str, Any]:
    request_type, result_type = _SHAPES[question["method"]]
    answer = await ctx.session.send_request(
        request_type.model_validate(question, by_name=False),
        result_type,
        metadata=ServerMessageMetadata(related_request_id=ctx.request_id),
    )
    found: dict[str, Any] = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found
