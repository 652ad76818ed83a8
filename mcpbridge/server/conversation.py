"""A call during which the upstream asks: what goes to the agent, what is answered here.

Both eras on both sides. A 2025 agent is asked on its request's own stream; a 2026-07-28 agent gets
`input_required` and comes back. A legacy server waits for its answers inside the call; a modern one
gets them with another call, which is judged and recorded like any other. Knows no wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from mcpbridge.calls.principal import Principal
from mcpbridge.catalog.snapshot import Source
from mcpbridge.executor.road import Asked
from mcpbridge.questions import Answerer, Behalf
from mcpbridge.questions.person import Desk
from mcpbridge.questions.records import Given
from mcpbridge.server.request_state import MAX_STATE, Binding, seal_state
from mcpbridge.upstream.questions import (
    METHODS,
    Answer,
    Answering,
    Asking,
    Kind,
    Mode,
    Question,
    QuestionPolicy,
    is_answer,
    kind_of_answer,
    read_question,
)

ROUNDS: Final = 8  # of questions that are answered here; those of an agent come with its requests
STATE_SECONDS: Final = 600.0
PURPOSE: Final = "question"


class Unanswerable(Exception):
    """The upstream asked what nobody answers: its call ends with that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRequired:
    """What a modern agent is to answer, and the state that it hands back with its answers."""

    requests: dict[str, Any]
    state: str

    def result(self) -> dict[str, Any]:
        """The members of the result."""
        return {"inputRequests": self.requests, "requestState": self.state}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a modern upstream is handed with the call: answers, and its own state."""

    responses: Mapping[str, Any] | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """How the agent of one request can be asked, and what it brought along.

    `ask` reaches it at once (2025 revisions). `responses` and `resumed` (the payload of a state of
    ours that it handed back) come with a 2026-07-28 request; `binding` is what a new state is for.
    """

    declared: Mapping[str, Any]
    binding: Binding
    ask: Answering | None = None
    responses: Mapping[str, Any] = field(default_factory=dict)
    resumed: Mapping[str, Any] | None = None

    @property
    def open_call(self) -> UUID | None:
        """The call that stays open until its agent comes back."""
        parked = (self.resumed or {}).get("open")
        return UUID(parked) if isinstance(parked, str) else None

    def waits_for(
        self, call_id: UUID, questions: Mapping[str, Question], *, seconds: float
    ) -> InputRequired:
        """The questions of a call that stays open, and the way back to it."""
        state = seal_state({"open": str(call_id)}, self.binding, ttl_seconds=seconds)
        return InputRequired(requests=_requests(questions), state=state)


class Conversation:
    """The questions of one allowed call, or of another request that is on record.

    `ask_later` reaches an agent that has to come back; without it such an agent is not asked by a
    legacy server. `holder_id` is the lease under which this process can wait for people.
    """

    def __init__(
        self,
        talk: Talk,
        *,
        source: Source,
        principal: Principal,
        call_id: UUID,
        ask_later: Answering | None = None,
        holder_id: UUID | None = None,
    ) -> None:
        self._talk = talk
        self._upstream = source.digest.hex()  # as it is configured now
        policy = source.spec.questions if source.spec is not None else QuestionPolicy()
        self._answerer = Answerer(
            policy,
            Behalf(
                upstream_id=source.id,
                upstream_digest=source.digest,
                agent_id=principal.agent_id,
                person_id=principal.person_id,
                call_id=call_id,
            ),
            declared=talk.declared,
            ask_agent=talk.ask if talk.ask is not None else ask_later,
            ask_person=(
                Desk(principal=principal, source=source, holder_id=holder_id).ask
                if holder_id is not None
                else None
            ),
        )

    def asking(self, inputs: Inputs) -> Asking | None:
        """What the call may be asked, and what it brings."""
        return self._answerer.asking(collects=True, responses=inputs.responses, state=inputs.state)

    async def brought(self) -> Inputs:
        """What the agent's request brings, on record. Raises Unanswerable and QuestionRefused."""
        resumed = self._talk.resumed
        if resumed is None:
            return await self._unasked()
        if resumed.get("configured") != self._upstream:
            # Who may answer, or whom we would answer, is not what it was when this was asked.
            raise Unanswerable("the upstream was changed since it asked")
        responses: dict[str, Any] = {}
        for key, (kind, record) in resumed["agent"].items():
            given = self._talk.responses.get(key)
            if is_answer(Kind(kind), given):
                await self._answerer.close(UUID(record), Given(answer=Answer(result=given)))
                responses[key] = given
        responses |= await self._answered(_questions(resumed["here"]))
        return Inputs(responses=responses, state=resumed["upstream"])

    async def go_on(self, asked: Asked) -> Inputs | InputRequired:
        """What to do about a modern upstream's questions. Raises as `brought` does."""
        theirs = {}
        if self._talk.ask is None:
            theirs = {k: q for k, q in asked.requests.items() if self._answerer.is_for_agent(q)}
        here = {key: q for key, q in asked.requests.items() if key not in theirs}
        if not theirs:
            return Inputs(responses=await self._answered(here), state=asked.state)
        state = seal_state(
            {
                "configured": self._upstream,
                "upstream": asked.state,
                "agent": {
                    key: [question.kind.value, str(await self._answerer.open(question))]
                    for key, question in theirs.items()
                },
                "here": _requests(here),
            },
            self._talk.binding,
            ttl_seconds=STATE_SECONDS,
        )
        if len(state) > MAX_STATE:
            raise Unanswerable
        return InputRequired(requests=_requests(theirs), state=state)

    async def _answered(self, questions: Mapping[str, Question]) -> dict[str, Any]:
        responses: dict[str, Any] = {}
        for key, question in questions.items():
            answer = await self._answerer.answer(question)
            if answer.result is None:
                raise Unanswerable
            responses[key] = dict(answer.result)
        return responses

    async def _unasked(self) -> Inputs:
        """Answers to what was never asked here, as far as the agent is the one who may give them.

        An answer to a kind of question that somebody else answers would go past that somebody.
        """
        responses: dict[str, Any] = {}
        for key, given in self._talk.responses.items():
            kind = kind_of_answer(given)
            if kind is None or self._answerer.policy.mode(kind) is not Mode.AGENT:
                continue
            record = await self._answerer.open(
                Question(kind=kind, method=_METHOD_OF[kind], params={"unasked": key})
            )
            await self._answerer.close(record, Given(answer=Answer(result=given)))
            responses[key] = given
        return Inputs(responses=responses or None)


_METHOD_OF: Final = {kind: method for method, kind in METHODS.items()}


def _requests(questions: Mapping[str, Question]) -> dict[str, Any]:
    return {key: question.as_request() for key, question in questions.items()}


def _questions(requests: Mapping[str, Any]) -> dict[str, Question]:
    found = {key: read_question(r["method"], r["params"]) for key, r in requests.items()}
    return {key: question for key, question in found.items() if question is not None}
