"""Upstream calls that stay open while a modern agent goes to answer a question and comes back.

A legacy server asks in the middle of a call; a 2026-07-28 client answers by sending its request
again. In between nobody is connected, so the open call waits here: bounded in number and in time,
only in this process, and aborted when nobody comes back. Knows no wire and no database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

from mcpbridge.calls.outcome import Outcome
from mcpbridge.executor.road import Asked, Progress
from mcpbridge.upstream.questions import FAILED_CODE, Answer, Question, is_answer, refusal
from mcpbridge.upstream.replies import Message

SECONDS: Final = 300.0
MOST: Final = 256
MOST_OF_ONE_AGENT: Final = 16
GATHERING: Final = 0.02  # seconds in which further questions of the same call join the first

NOBODY: Final = "the agent did not answer"

type Ended = Outcome | Asked


@dataclass(slots=True)
class _Open:
    question: Question
    answer: asyncio.Future[Answer]


@dataclass(slots=True, kw_only=True, eq=False)
class OpenCall:
    """One call under way, whose questions its agent answers by coming back."""

    agent_id: UUID
    abort: asyncio.Event
    id: UUID = field(default_factory=uuid4)
    run: asyncio.Future[Ended] | None = None
    on_progress: Callable[[Progress], None] | None = None
    on_log: Callable[[Message], None] | None = None
    _open: dict[str, _Open] = field(default_factory=dict)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    _count: int = 0

    def progress(self, progress: Progress) -> None:
        """Progress of the upstream, to whichever request of the agent is there to hear it."""
        if self.on_progress is not None:
            self.on_progress(progress)

    def log(self, message: Message) -> None:
        """A log message of the upstream, to the same."""
        if self.on_log is not None:
            self.on_log(message)

    async def ask(self, question: Question) -> Answer:
        """Wait until the agent has answered."""
        self._count += 1
        key = f"q{self._count}"
        mine = _Open(question, asyncio.get_running_loop().create_future())
        self._open[key] = mine
        self._asked.set()
        try:
            return await mine.answer
        finally:
            del self._open[key]
            if not self._open:
                self._asked.clear()

    def take(self, responses: Mapping[str, Any]) -> None:
        """Give the answers to the questions that they are well-formed answers of."""
        for key, mine in self._open.items():
            given = responses.get(key)
            if is_answer(mine.question.kind, given) and not mine.answer.done():
                mine.answer.set_result(Answer(result=given))

    async def questions(self) -> dict[str, Question]:
        """Wait until the call is over (then none) or asks; its open questions by key."""
        run = self.run
        if run is None:
            return {}
        while not run.done():
            unanswered = self._unanswered()
            if unanswered:
                await asyncio.wait({run}, timeout=GATHERING)
                return {} if run.done() else self._unanswered() or unanswered
            self._asked.clear()
            asked = asyncio.ensure_future(self._asked.wait())
            either: set[asyncio.Future[Any]] = {run, asked}
            try:
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            finally:
                asked.cancel()
        return {}

    def refuse(self) -> None:
        """Nobody will answer what is open."""
        for mine in self._open.values():
            if not mine.answer.done():
                mine.answer.set_result(refusal(NOBODY, code=FAILED_CODE))

    def _unanswered(self) -> dict[str, Question]:
        return {key: mine.question for key, mine in self._open.items() if not mine.answer.done()}


class ParkingLot:
    """The open calls of one event loop whose agents are away."""

    def __init__(
        self,
        *,
        seconds: float = SECONDS,
        most: int = MOST,
        most_of_one_agent: int = MOST_OF_ONE_AGENT,
    ) -> None:
        self.seconds = seconds
        self._most, self._most_of_one_agent = most, most_of_one_agent
        self._parked: dict[UUID, tuple[OpenCall, asyncio.TimerHandle]] = {}

    def __len__(self) -> int:
        return len(self._parked)

    def park(self, call: OpenCall) -> bool:
        """Keep the call until its agent comes back; False where there is no room for it."""
        of_this_agent = sum(other.agent_id == call.agent_id for other, _ in self._parked.values())
        if len(self._parked) >= self._most or of_this_agent >= self._most_of_one_agent:
            return False
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self.seconds, self._expire, call.id)
        self._parked[call.id] = (call, timer)
        if call.run is not None:
            call.run.add_done_callback(lambda _: self._leave(call.id))
        return True

    def fetch(self, call_id: UUID, *, agent_id: UUID) -> OpenCall | None:
        """The agent came back for its call; None where it is not (or no longer) here."""
        found = self._parked.get(call_id)
        if found is None or found[0].agent_id != agent_id:
            return None
        self._leave(call_id)
        return found[0]

    def close(self) -> None:
        """Abort every call that is parked."""
        for call_id in list(self._parked):
            self._expire(call_id)

    def _leave(self, call_id: UUID) -> None:
        found = self._parked.pop(call_id, None)
        if found is not None:
            found[1].cancel()

    def _expire(self, call_id: UUID) -> None:
        found = self._parked.get(call_id)
        self._leave(call_id)
        if found is not None:
            found[0].abort.set()
            found[0].refuse()
