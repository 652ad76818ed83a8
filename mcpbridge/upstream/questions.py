"""What an upstream may ask back during a call, who answers it, and which answers are well formed.

Pure. Questions come from a hostile upstream and answers from a hostile agent; both are read here.
A kind of question that no admin has opened is refused.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

REFUSED_CODE: Final = -32601
FAILED_CODE: Final = -1
QUESTION_BYTES: Final = 256 * 1024
ANSWER_BYTES: Final = 1024 * 1024
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Kind(StrEnum):
    """What is asked for."""

    SAMPLING = "sampling"
    ELICITATION = "elicitation"
    ROOTS = "roots"


class Mode(StrEnum):
    """Who answers."""

    REFUSE = "refuse"
    AGENT = "agent"  # the agent whose call caused the question, and no other
    PERSON = "person"  # through a ticket
    ENDPOINT = "endpoint"  # a model that the operator runs
    FIXED = "fixed"  # a list that an admin wrote down


METHODS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "sampling/createMessage": Kind.SAMPLING,
        "elicitation/create": Kind.ELICITATION,
        "roots/list": Kind.ROOTS,
    }
)


READINGS: Final = frozenset(
    {
        "ping",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "logging/setLevel",
        "subscriptions/listen",
    }
)
"""What the gateway asks an upstream for everybody: no agent stands behind it to be asked back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An OpenAI-compatible chat-completions endpoint. Sizes in bytes, `seconds` for one answer."""

    url: str
    models: tuple[str, ...]
    max_tokens: int = 1024
    prompt_bytes: int = 64 * 1024
    answer_bytes: int = 256 * 1024
    per_minute: int = 30
    seconds: float = 60.0
    allow_private_addresses: bool = False
    api_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionPolicy:
    """Who answers which kind of question of one upstream."""

    sampling: Mode = Mode.REFUSE
    elicitation: Mode = Mode.REFUSE
    roots: Mode = Mode.REFUSE
    fixed_roots: tuple[tuple[str, str], ...] = ()  # (uri, name)
    endpoint: Endpoint | None = None

    def mode(self, kind: Kind) -> Mode:
        """Who answers questions of this kind."""
        found: Mode = getattr(self, kind.value)
        return found

    @property
    def answers_any(self) -> bool:
        """Whether any kind of question is answered at all."""
        return any(self.mode(kind) is not Mode.REFUSE for kind in Kind)

    def capabilities(self, declared: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The client capabilities that the upstream is told.

        `declared` is what the agent of this very call can do; None where a session is shared by
        several calls, whose agents are not known yet.
        """
        told: dict[str, Any] = {}
        for kind in Kind:
            mode = self.mode(kind)
            if mode is Mode.REFUSE:
                continue
            if mode is Mode.AGENT and declared is not None:
                theirs = declared.get(kind.value)
                if isinstance(theirs, Mapping):
                    told[kind.value] = dict(theirs)
            else:
                told[kind.value] = {"form": {}} if kind is Kind.ELICITATION else {}
        return told

    def bound(self) -> dict[str, Any] | None:
        """What of it a call's meaning rests on; None while every question is refused."""
        if not self.answers_any:
            return None
        endpoint = self.endpoint
        return {
            **{kind.value: self.mode(kind).value for kind in Kind},
            "fixed_roots": [list(root) for root in self.fixed_roots],
            "endpoint": (
                [endpoint.url, sorted(endpoint.models), endpoint.allow_private_addresses]
                if endpoint is not None
                else None
            ),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of an upstream, of a kind that exists, small enough to be handed on."""

    kind: Kind
    method: str
    params: Mapping[str, Any]

    def as_request(self) -> dict[str, Any]:
        """The question as one of the `inputRequests` of 2026-07-28."""
        return {"method": self.method, "params": dict(self.params)}

    def spelled(self) -> bytes:
        """The question's bytes as they are kept."""
        return _spelled(self.as_request())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A result for the upstream, or (where that is None) a refusal with its code and words."""

    result: Mapping[str, Any] | None = None
    code: int = REFUSED_CODE
    why: str = ""

    @property
    def member(self) -> dict[str, Any]:
        """The answer as the member of a JSON-RPC response."""
        if self.result is not None:
            return {"result": dict(self.result)}
        return {"error": {"code": self.code, "message": self.why}}

    def spelled(self) -> bytes:
        """The answer's bytes as they are kept."""
        return _spelled(self.member)


type Answering = Callable[[Question], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What one call may be asked, and what it already brings as answers.

    `answer` serves the requests of a legacy server. `capabilities`, `responses` and `state` travel
    with the call to a modern one, whose questions come back as the call's own reply where whoever
    makes the call `collects` them.
    """

    answer: Answering | None = None
    collects: bool = False
    capabilities: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    responses: Mapping[str, Any] | None = field(default=None, repr=False)
    state: str | None = field(default=None, repr=False)

    def params(self) -> dict[str, Any]:
        """The parameters that a modern call carries beside its arguments."""
        params: dict[str, Any] = {}
        if self.responses is not None:
            params["inputResponses"] = dict(self.responses)
        if self.state is not None:
            params["requestState"] = self.state
        return params


def refusal(why: str, *, code: int = REFUSED_CODE) -> Answer:
    """An answer that says no; an upstream hears no more than `why`."""
    return Answer(code=code, why=why)


def read_question(method: object, params: object) -> Question | None:
    """The question that an upstream asks; None where it is none, is malformed or too large."""
    kind = METHODS.get(method) if isinstance(method, str) else None
    params = {} if params is None else params
    if kind is None or not isinstance(params, dict) or len(_spelled(params)) > QUESTION_BYTES:
        return None
    if kind is Kind.ELICITATION and not _is_elicitation(params):
        return None
    if kind is Kind.SAMPLING and not _is_sampling(params):
        return None
    return Question(kind=kind, method=str(method), params=params)


def can_answer(declared: Mapping[str, Any], question: Question) -> bool:
    """Whether a client with these capabilities said that it answers such questions."""
    theirs = declared.get(question.kind.value)
    if not isinstance(theirs, Mapping):
        return False
    if question.kind is Kind.ELICITATION:
        if question.params.get("mode") == "url":
            return isinstance(theirs.get("url"), Mapping)
        return not theirs or isinstance(theirs.get("form"), Mapping)
    if question.kind is Kind.SAMPLING and {"tools", "toolChoice"} & set(question.params):
        return isinstance(theirs.get("tools"), Mapping)
    return True


def kind_of_answer(value: object) -> Kind | None:
    """What kind of question this would answer; None where it is no well-formed answer."""
    fits = [kind for kind in Kind if is_answer(kind, value)]
    return fits[0] if len(fits) == 1 else None


def is_answer(kind: Kind, value: object) -> bool:
    """Whether `value` is a well-formed result for a question of this kind."""
    if not isinstance(value, dict) or len(_spelled(value)) > ANSWER_BYTES:
        return False
    if kind is Kind.ELICITATION:
        content = value.get("content")
        if value.get("action") not in ("accept", "decline", "cancel"):
            return False
        return content is None or (
            isinstance(content, dict) and all(_is_primitive(item) for item in content.values())
        )
    if kind is Kind.SAMPLING:
        content = value.get("content")
        blocks = content if isinstance(content, list) else [content]
        return (
            value.get("role") in ("assistant", "user")
            and isinstance(value.get("model"), str)
            and all(isinstance(b, dict) and isinstance(b.get("type"), str) for b in blocks)
        )
    roots = value.get("roots")
    return isinstance(roots, list) and all(
        isinstance(root, dict) and isinstance(root.get("uri"), str) for root in roots
    )


def _is_elicitation(params: Mapping[str, Any]) -> bool:
    if not isinstance(params.get("message"), str):
        return False
    if params.get("mode", "form") == "url":
        url = params.get("url")
        return isinstance(url, str) and url.startswith(("https://", "http://"))
    return params.get("mode", "form") == "form" and isinstance(params.get("requestedSchema"), dict)


def _is_sampling(params: Mapping[str, Any]) -> bool:
    messages, most = params.get("messages"), params.get("maxTokens")
    return (
        isinstance(messages, list)
        and all(isinstance(message, dict) for message in messages)
        and type(most) is int
        and most > 0
    )


def _is_primitive(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, str | int | float | bool)


def _spelled(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode("ascii")
