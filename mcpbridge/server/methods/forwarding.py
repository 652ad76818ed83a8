"""Forwarding what is no tool call: enforced, made in this process, told in the agent's era.

Knows no method by name: the families hand in what is to be sent, and get a whole result back.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from django.db import Error as DatabaseError
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST

from mcpbridge.calls.forwarded import GET_PROMPT, READ, Forwarded
from mcpbridge.executor.requests import AllowedRequest, run_request
from mcpbridge.executor.road import Asked as Questions
from mcpbridge.executor.road import Ended, Failure, Result, RpcError, Unsent
from mcpbridge.pep import RequestRefused, enforce_request
from mcpbridge.questions.records import QuestionRefused
from mcpbridge.server.conversation import (
    ROUNDS,
    Conversation,
    InputRequired,
    Inputs,
    Unanswerable,
)
from mcpbridge.server.methods.asked import Asked
from mcpbridge.server.methods.questions import talk_of
from mcpbridge.server.presenters import EVENT_BYTES, size_of
from mcpbridge.server.waiting import settled
from mcpbridge.upstream.questions import FAILED_CODE, Answer, Asking, Question, refusal

logger = logging.getLogger(__name__)

NOT_FOUND: Final = -32002  # what revisions before 2026-07-28 say of an unknown resource
_REFUSED: Final = -32003
MAY_ASK: Final = frozenset({GET_PROMPT, READ})
NOT_ANSWERED: Final = (Unanswerable, QuestionRefused, DatabaseError)
_CODES: Final = {"unknown_upstream": INVALID_PARAMS, "not_allowed": _REFUSED, "denied": _REFUSED}


async def allow(asked: Asked, request: Forwarded) -> AllowedRequest:
    """Have the request judged and recorded. Raises MCPError: it may not be made."""
    try:
        return await settled(enforce_request(asked.exchange.principal, request), otherwise=_read)
    except RequestRefused as refused:
        raise MCPError(
            code=_CODES.get(refused.code, INTERNAL_ERROR),
            message=refused.why,
            data={"reason": refused.code, "retry": refused.retry},
        ) from None


async def forward(asked: Asked, request: Forwarded) -> dict[str, Any]:
    """The upstream's whole result, or what it asks. Raises MCPError for everything else."""
    if request.method not in MAY_ASK:
        return _result(asked, request, await _made(asked, await allow(asked, request), None))
    talk = await talk_of(asked, name=request.method, arguments_bytes=request.recorded)
    inputs: Inputs | None = None
    for _ in range(ROUNDS):
        allowed = await allow(asked, request)
        conversation = Conversation(
            talk,
            source=allowed.source,
            principal=asked.exchange.principal,
            call_id=allowed.record_id,
            ask_later=only_during_calls,
        )
        try:
            inputs = inputs if inputs is not None else await conversation.brought()
        except NOT_ANSWERED:
            await _unsent(allowed)
            raise _refused_question() from None
        ended = await _made(asked, allowed, conversation.asking(inputs))
        if not isinstance(ended, Questions):
            return _result(asked, request, ended)
        try:
            step = await conversation.go_on(ended)
        except NOT_ANSWERED:
            raise _refused_question() from None
        if isinstance(step, InputRequired):
            asked.exchange.result_type = "input_required"
            return step.result()
        inputs = step
    raise _refused_question()


async def only_during_calls(_question: Question) -> Answer:
    """What a legacy upstream is told that asks an agent who would have to come back to answer.

    An open call of a tool waits for its agent; nothing else is kept open here.
    """
    return refusal(
        "this agent can be asked during calls of tools only, not while a resource is read or a"
        " prompt is got",
        code=FAILED_CODE,
    )


async def _made(asked: Asked, allowed: AllowedRequest, asking: Asking | None) -> Ended | Questions:
    exchange = asked.exchange
    abort = asyncio.Event()
    stop = exchange.on_gone(abort.set) if asked.client.is_modern else _nothing
    relay = asked.hears.relay()
    try:
        running = run_request(
            allowed,
            on_progress=relay.on_progress,
            on_log=relay.on_log,
            abort=abort,
            asking=asking,
        )
        ended = await settled(running, otherwise=_read)
        await relay.finish()
    except asyncio.CancelledError:
        abort.set()
        raise
    finally:
        stop()
        relay.stop()
    return ended


async def _unsent(allowed: AllowedRequest) -> None:
    """Run a request into its abort, so that its record says that nothing was sent."""
    abort = asyncio.Event()
    abort.set()
    await run_request(allowed, abort=abort)


def _refused_question() -> MCPError:
    return MCPError(
        code=INVALID_REQUEST,
        message="the upstream asked a question back, which this gateway does not answer",
    )


def _result(asked: Asked, request: Forwarded, ended: Ended | Questions) -> dict[str, Any]:
    match ended:
        case Questions():
            raise _refused_question()
        case Result() if ended.refused_question:
            raise _refused_question()
        case Result():
            if asked.exchange.is_stream and size_of(ended.result) > EVENT_BYTES:
                raise MCPError(
                    code=INTERNAL_ERROR,
                    message=f"the answer does not fit into one event of {EVENT_BYTES} bytes",
                )
            return dict(ended.result)
        case RpcError():
            raise _error(asked, request, ended)
        case Unsent():
            raise MCPError(
                code=INTERNAL_ERROR,
                message=f"the upstream {request.upstream} cannot be reached: {ended.why}",
                data={"reason": "unreachable", "retry": True},
            )
        case Failure():
            raise MCPError(
                code=INTERNAL_ERROR,
                message=f"the upstream {request.upstream} gave no answer ({ended.reason.value})",
                data={"reason": ended.reason.value, "retry": True},
            )


def _error(asked: Asked, request: Forwarded, error: RpcError) -> MCPError:
    """The upstream's own error; an unknown resource in the words of the agent's era."""
    code, data = error.code, error.data
    if code == NOT_FOUND and asked.client.is_modern and "uri" in request.params:
        code = INVALID_PARAMS
        data = {**data} if isinstance(data, dict) else {}
        data["uri"] = request.params["uri"]
    return MCPError(code=code, message=error.message, data=data)


def _nothing() -> None:
    """Nobody listens, so there is nothing to stop."""


def _read(done: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody waits for any more."""
    if done.cancelled():
        return
    problem = done.exception()
    if problem is not None and not isinstance(problem, RequestRefused):
        logger.error("A request whose agent had left failed.", exc_info=problem)
