"""Reading what an upstream says: one JSON-RPC message, and one answer to `tools/call`.

Pure. Everything here comes from a hostile peer. Results keep every field they came with; only
what could not be passed on as JSON at all (infinite numbers, half surrogate pairs) is refused or
replaced.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final, Literal

from mcpbridge.upstream.questions import Question, read_question

SIDE_QUESTION_REFUSED = (
    "The upstream asked a question back instead of answering. This gateway does not answer such "
    "questions; the call was not completed."
)


MOST_QUESTIONS: Final = 16
STATE_CHARACTERS: Final = 64 * 1024


class MalformedMessage(ValueError):
    """The upstream's bytes are not a JSON-RPC message."""


@dataclass(frozen=True)
class ToolResult:
    """A result object exactly as the upstream sent it; `size` is its message's length in bytes.

    `refused_question` marks a result that we made because the upstream asked for input instead.
    """

    result: dict[str, Any]
    size: int
    refused_question: bool = False

    @property
    def is_error(self) -> bool:
        """Whether the tool itself says that it failed."""
        return self.result.get("isError") is True


@dataclass(frozen=True)
class ToolRpcError:
    """A JSON-RPC error, or an HTTP refusal told as one: a definite answer."""

    code: int
    message: str
    data: Any = None


ToolReply = ToolResult | ToolRpcError


class QuestionsAsked(Exception):
    """A modern upstream asks before it answers: by key, what; and a state that it wants back."""

    def __init__(self, requests: dict[str, Question], state: str | None, size: int) -> None:
        super().__init__(f"the upstream asks {len(requests)} questions before it answers")
        self.requests = requests
        self.state = state
        self.size = size


@dataclass(frozen=True)
class Message:
    """One JSON-RPC message with its kind settled."""

    kind: Literal["request", "notification", "response", "error"]
    body: dict[str, Any]
    size: int

    @property
    def id(self) -> int | str | None:
        """The message's id; None for notifications and for errors without one."""
        value: int | str | None = self.body.get("id")
        return value

    @property
    def method(self) -> str:
        """The method of a request or notification, else the empty string."""
        value: str = self.body.get("method", "")
        return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise MalformedMessage(f"the number {text[:40]} is too large")
    return number


def _no_constant(text: str) -> float:
    raise MalformedMessage(f"{text} is not JSON")


_decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)


def load(raw: bytes) -> Any:
    """Parse upstream JSON. Raises MalformedMessage; half surrogate pairs become U+FFFD."""
    try:
        text = raw.decode("utf-8")
        value = _decoder.decode(text)
    except MalformedMessage:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"not JSON: {type(error).__name__}") from None
    if b"\\ud" in raw or b"\\uD" in raw:
        try:
            value = _without_half_pairs(value)
        except RecursionError:
            raise MalformedMessage("not JSON: nested too deeply") from None
    return value


def _without_half_pairs(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_half_pairs(item) for item in value]
    if isinstance(value, dict):
        return {_without_half_pairs(key): _without_half_pairs(item) for key, item in value.items()}
    return value


def read_message(raw: bytes) -> Message:
    """Read one JSON-RPC 2.0 message. Raises MalformedMessage."""
    body = load(raw)
    if not isinstance(body, dict):
        raise MalformedMessage("a JSON-RPC message is an object, this is not")
    if body.get("jsonrpc") != "2.0":
        raise MalformedMessage('the message does not carry "jsonrpc": "2.0"')
    identifier = body.get("id")
    if isinstance(identifier, bool) or not isinstance(identifier, int | str | None):
        raise MalformedMessage("the message's id is neither an integer nor a string")
    if "method" in body:
        if not isinstance(body["method"], str):
            raise MalformedMessage("the message's method is not a string")
        if not isinstance(body.get("params", {}), dict):
            raise MalformedMessage("the message's params is not an object")
        kind: Literal["request", "notification"] = (
            "request" if identifier is not None else "notification"
        )
        return Message(kind=kind, body=body, size=len(raw))
    if ("result" in body) == ("error" in body):
        raise MalformedMessage("the message is neither a request, a result nor an error")
    if "result" in body:
        if not isinstance(body["result"], dict) or identifier is None:
            raise MalformedMessage("the response has no id, or its result is not an object")
        return Message(kind="response", body=body, size=len(raw))
    error = body["error"]
    if (
        not isinstance(error, dict)
        or isinstance(error.get("code"), bool)
        or not isinstance(error.get("code"), int)
        or not isinstance(error.get("message"), str)
    ):
        raise MalformedMessage("the error has no integer code or no message")
    return Message(kind="error", body=body, size=len(raw))


def result_reply(message: Message) -> ToolReply:
    """Turn the answer to any request into a reply. Raises MalformedMessage."""
    if message.kind == "error":
        error = message.body["error"]
        return ToolRpcError(code=error["code"], message=error["message"], data=error.get("data"))
    result: dict[str, Any] = message.body["result"]
    shape = result.get("resultType", "complete")
    if shape == "input_required":
        return ToolResult(result=refused_result(), size=message.size, refused_question=True)
    if shape != "complete":
        raise MalformedMessage("the result is of a type that was not asked for")
    return ToolResult(result=result, size=message.size)


def tool_reply(message: Message) -> ToolReply:
    """Turn the answer to a `tools/call` into a reply. Raises MalformedMessage."""
    reply = result_reply(message)
    if isinstance(reply, ToolResult):
        content = reply.result.get("content", [])
        if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
            raise MalformedMessage("the result's content is not a list of objects")
        if not isinstance(reply.result.get("isError", False), bool):
            raise MalformedMessage("the result's isError is not a boolean")
    return reply


def refused_result() -> dict[str, Any]:
    """The result of a call that ended with a question which nobody answers."""
    return {"content": [{"type": "text", "text": SIDE_QUESTION_REFUSED}], "isError": True}


def questions_of(message: Message) -> QuestionsAsked | None:
    """The questions that stand in the place of a result; None where there are none to answer."""
    result = message.body.get("result")
    if not isinstance(result, dict) or result.get("resultType") != "input_required":
        return None
    asked, state = result.get("inputRequests"), result.get("requestState")
    asked = {} if asked is None else asked
    if not isinstance(asked, dict) or len(asked) > MOST_QUESTIONS or not (asked or state):
        return None
    if state is not None and (not isinstance(state, str) or len(state) > STATE_CHARACTERS):
        return None
    requests: dict[str, Question] = {}
    for key, request in asked.items():
        if not isinstance(request, dict):
            return None
        question = read_question(request.get("method"), request.get("params"))
        if question is None:
            return None
        requests[key] = question
    return QuestionsAsked(requests, state, message.size)
