"""One call's questions and who answers them: by the upstream's policy, on record, within limits.

Whoever makes the call says how its agent can be asked; where it cannot, such questions are
refused. A question is never put to another agent: an answerer belongs to one call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db import Error as DatabaseError

from mcpbridge.offload import in_database
from mcpbridge.questions.endpoint import EndpointFailed, complete, model_for, prompt_of
from mcpbridge.questions.records import (
    Behalf,
    Given,
    QuestionRefused,
    close_question,
    open_question,
)
from mcpbridge.upstream.questions import (
    FAILED_CODE,
    Answer,
    Answering,
    Asking,
    Mode,
    Question,
    QuestionPolicy,
    can_answer,
    is_answer,
    refusal,
)

__all__ = ["Answerer", "Behalf"]

logger = logging.getLogger(__name__)

NOT_ANSWERED: Final = "this gateway does not answer such questions"
NOT_DECLARED: Final = "the agent of this call does not answer such questions"
NOBODY_TO_ASK: Final = "nobody can be asked during this call"
NOT_RECORDED: Final = "the gateway cannot record the question now"
MALFORMED: Final = "the answer was not a well-formed one and is not passed on"


class Answerer:
    """Answers the questions of one call.

    `declared` are the capabilities that the call's agent declared, `ask_agent` how it is asked;
    both are absent where no agent is there to be asked, as in a worker. `ask_person` puts a
    question to people; it is absent where nothing could wait for them.
    """

    def __init__(
        self,
        policy: QuestionPolicy,
        behalf: Behalf,
        *,
        declared: Mapping[str, Any] | None = None,
        ask_agent: Answering | None = None,
        ask_person: Answering | None = None,
    ) -> None:
        self.policy = policy
        self.declared: Mapping[str, Any] = declared or {}
        self._behalf = behalf
        self._ask_agent = ask_agent
        self._ask_person = ask_person

    def asking(
        self,
        *,
        collects: bool,
        responses: Mapping[str, Any] | None = None,
        state: str | None = None,
    ) -> Asking | None:
        """What the upstream client is told; None where nothing is ever answered."""
        if not self.policy.answers_any:
            return None
        return Asking(
            answer=self.answer,
            collects=collects,
            capabilities=self.policy.capabilities(self.declared) if collects else {},
            responses=responses,
            state=state,
        )

    def is_for_agent(self, question: Question) -> bool:
        """Whether the agent is asked, and said that it answers such questions."""
        mode = self.policy.mode(question.kind)
        return mode is Mode.AGENT and can_answer(self.declared, question)

    async def answer(self, question: Question) -> Answer:
        """The answer, or a refusal that says why."""
        mode = self.policy.mode(question.kind)
        if mode is Mode.REFUSE:
            return refusal(NOT_ANSWERED)
        if mode is Mode.AGENT and (self._ask_agent is None or not self.is_for_agent(question)):
            return refusal(NOT_DECLARED)
        if mode is Mode.PERSON and self._ask_person is None:
            return refusal(NOBODY_TO_ASK)
        began = asyncio.get_running_loop().time()
        try:
            record = await self.open(question)
            given = await self._given(question, mode)
            if given.answer.result is not None and not is_answer(
                question.kind, dict(given.answer.result)
            ):
                given = Given(answer=refusal(MALFORMED, code=FAILED_CODE), model=given.model)
            seconds = asyncio.get_running_loop().time() - began
            await self.close(record, given, milliseconds=int(seconds * 1000))
        except QuestionRefused as refused:
            return refusal(str(refused), code=FAILED_CODE)
        except DatabaseError:
            logger.warning("A question was refused: it cannot be recorded.", exc_info=True)
            return refusal(NOT_RECORDED, code=FAILED_CODE)
        return given.answer

    async def open(self, question: Question) -> UUID:
        """Put a question on record, before anybody hears it. Raises QuestionRefused."""
        mode, endpoint = self.policy.mode(question.kind), self.policy.endpoint
        is_metered = mode is Mode.ENDPOINT and endpoint is not None
        return await in_database(
            open_question,
            self._behalf,
            question,
            mode,
            model=model_for(endpoint, question.params) if is_metered and endpoint else "",
            per_minute=endpoint.per_minute if is_metered and endpoint else None,
        )

    async def close(self, record: UUID, given: Given, *, milliseconds: int = 0) -> None:
        """Put an answer on record, before it leaves. Raises QuestionRefused."""
        await in_database(close_question, self._behalf, record, given, milliseconds=milliseconds)

    async def _given(self, question: Question, mode: Mode) -> Given:
        if mode is Mode.FIXED:
            roots = [
                {"uri": uri, **({"name": name} if name else {})}
                for uri, name in self.policy.fixed_roots
            ]
            return Given(answer=Answer(result={"roots": roots}))
        if mode is Mode.ENDPOINT and self.policy.endpoint is not None:
            endpoint = self.policy.endpoint
            model = model_for(endpoint, question.params)
            try:
                return await complete(endpoint, prompt_of(endpoint, question, model=model))
            except EndpointFailed as failed:
                logger.warning("A model's endpoint gave no answer: %s", failed)
                return Given(answer=refusal(str(failed), code=FAILED_CODE), model=model)
        ask = self._ask_person if mode is Mode.PERSON else self._ask_agent
        if ask is None:
            return Given(answer=refusal(NOT_DECLARED))
        return Given(answer=await ask(question))
