"""The questions that a legacy server asks during one call: bounded, timed, ended with the call.

Knows neither who answers nor how a line reaches the server. While a question is open, the
upstream's own time does not run: whoever answers may be a person.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from mcpbridge.upstream.envelope import dump
from mcpbridge.upstream.questions import (
    FAILED_CODE,
    Answer,
    Asking,
    Question,
    read_question,
    refusal,
)
from mcpbridge.upstream.replies import Message

log = logging.getLogger(__name__)

MOST_PER_CALL: Final = 32
MOST_AT_ONCE: Final = 8

type Reply = Callable[[bytes], Awaitable[None]]


class OpenQuestions:
    """The questions of one call. Without `asking` none is taken."""

    def __init__(self, asking: Asking | None) -> None:
        self._asking = asking
        self._tasks: dict[int | str | None, asyncio.Task[None]] = {}
        self._taken = 0
        self._seconds = 0.0
        self._since = 0.0

    @property
    def are_open(self) -> bool:
        """Whether an answer is being waited for."""
        return bool(self._tasks)

    @property
    def seconds(self) -> float:
        """For how long, in all, an answer was waited for."""
        running = asyncio.get_running_loop().time() - self._since if self._tasks else 0.0
        return self._seconds + running

    def take(self, message: Message, reply: Reply) -> bool:
        """Have a server's request answered; False where it is not one that is answered here."""
        asking = self._asking
        if asking is None or asking.answer is None or message.id in self._tasks:
            return False
        question = read_question(message.method, message.body.get("params"))
        full = self._taken >= MOST_PER_CALL or len(self._tasks) >= MOST_AT_ONCE
        if question is None or full:
            return False
        if not self._tasks:
            self._since = asyncio.get_running_loop().time()
        self._taken += 1
        task = asyncio.create_task(self._answer(asking, question, message.id, reply))
        self._tasks[message.id] = task
        task.add_done_callback(lambda _: self._ended(message.id))
        return True

    def stop(self) -> None:
        """The call is over: nobody waits for these answers any more."""
        for task in list(self._tasks.values()):
            task.cancel()

    async def _answer(
        self, asking: Asking, question: Question, request_id: int | str | None, reply: Reply
    ) -> None:
        answer = await _asked(asking, question)
        await reply(dump({"jsonrpc": "2.0", "id": request_id, **answer.member}))

    def _ended(self, request_id: int | str | None) -> None:
        waited = asyncio.get_running_loop().time() - self._since
        task = self._tasks.pop(request_id)
        if not self._tasks:
            self._seconds += waited
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.error("an answer could not be handed over", exc_info=problem)


async def _asked(asking: Asking, question: Question) -> Answer:
    if asking.answer is None:
        return refusal("this client does not answer requests of the server")
    try:
        return await asking.answer(question)
    except Exception:
        log.exception("a question of an upstream could not be answered")
        return refusal("the question could not be answered", code=FAILED_CODE)
