"""The road of one tool call: enforced, then run, held, or refused.

What was begun is never lost: a request that is cancelled while it is being enforced still learns
what came of it, and takes it back. Knows no wire.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

from django.db import Error as DatabaseError

from mcpbridge import conf
from mcpbridge.approvals_gateway import AgentNotLive, TicketView, Waiting
from mcpbridge.calls import outcome as outcomes
from mcpbridge.calls.abort import Abort
from mcpbridge.calls.outcome import Outcome, outcome_of
from mcpbridge.calls.tool_call import ToolCall
from mcpbridge.executor.allowed import converse, run_allowed
from mcpbridge.executor.road import Asked
from mcpbridge.pep import Allowed, Denied, Paused, Unavailable, enforce, is_on_record
from mcpbridge.questions.records import QuestionRefused
from mcpbridge.server.conversation import (
    ROUNDS,
    Conversation,
    InputRequired,
    Inputs,
    Talk,
    Unanswerable,
)
from mcpbridge.server.exchange import Exchange
from mcpbridge.server.holding import Report
from mcpbridge.server.parking import OpenCall, ParkingLot
from mcpbridge.server.paused import HeldOutcome, PausedCalls
from mcpbridge.server.relay import Hears
from mcpbridge.server.rendering import AsTask, Style
from mcpbridge.server.waiting import settled
from mcpbridge.upstream.replies import refused_result

logger = logging.getLogger(__name__)

AGENTS_OWN_DOING: Final = frozenset({"unknown_tool", "idempotency_key_reused"})


class CallInvalid(Exception):
    """The call itself is wrong; it was neither recorded nor executed. `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Begun:
    """The call stands as a task that its agent will ask for."""

    ticket: TicketView


type Told = HeldOutcome | Begun | InputRequired


class Road:
    """Carries tool calls of agents to their outcomes."""

    def __init__(self, paused: PausedCalls) -> None:
        self._paused = paused
        self.parked = ParkingLot()

    async def call(
        self,
        call: ToolCall,
        exchange: Exchange,
        *,
        style: Style,
        report: Report,
        hears: Hears,
        talk: Talk | None = None,
    ) -> Told:
        """What the agent is told about its call, or asked. Raises CallInvalid and AgentLeft."""
        if talk is not None and (call_id := talk.open_call) is not None:
            found = self.parked.fetch(call_id, agent_id=exchange.principal.agent_id)
            if found is None:
                return outcomes.OutcomeUnknown(reason="aborted")
            found.take(talk.responses)
            ended = await self._attend(found, call, exchange, hears, talk)
            return refused_question() if isinstance(ended, Asked) else ended
        inputs: Inputs | None = None
        for _ in range(ROUNDS):
            step = await self._once(
                call,
                exchange,
                style=style,
                report=report,
                hears=hears,
                talk=talk,
                inputs=inputs,
            )
            if not isinstance(step, Inputs):
                return step
            inputs = step
        return refused_question()

    async def _once(
        self,
        call: ToolCall,
        exchange: Exchange,
        *,
        style: Style,
        report: Report,
        hears: Hears,
        talk: Talk | None,
        inputs: Inputs | None,
    ) -> Told | Inputs:
        """One call of the upstream, enforced and run; Inputs for the next one where it asked."""
        as_task = isinstance(style, AsTask)
        holder = None if as_task else await self._paused.holder()
        waiting = Waiting.TASK if as_task else Waiting.HELD
        try:
            answer = await settled(
                enforce(
                    exchange.principal,
                    call,
                    waiting=waiting,
                    holder_id=holder,
                    session=exchange.session,
                ),
                otherwise=lambda done: self._take_back(done, call, exchange),
            )
        except AgentNotLive as refusal:
            return outcomes.Unavailable(why=refusal.message, retry=False)
        exchange.on_record = is_on_record(answer)
        match answer:
            case Allowed() if talk is not None and may_ask(answer):
                return await self._talk(answer, call, exchange, hears, talk, inputs)
            case Allowed():
                return await self._run(answer, call, exchange, hears)
            case Paused():
                if isinstance(style, AsTask):
                    return self._begun(answer.ticket, exchange)
                return await self._paused.wait_for_call(
                    answer.ticket, exchange, client=call.client, style=style, report=report
                )
            case Unavailable() if answer.code in AGENTS_OWN_DOING:
                raise CallInvalid(answer.code, answer.outcome.why)
            case Denied() | Unavailable():
                return answer.outcome

    def _begun(self, ticket: TicketView, exchange: Exchange) -> HeldOutcome | Begun:
        """A task; or its outcome at once, where the call repeats one that is over."""
        if ticket.is_over:
            self._paused.told(ticket, exchange)
            return outcome_of(ticket, public_url=conf.public_url())
        self._paused.begun(ticket, exchange)
        return Begun(ticket)

    async def _run(
        self,
        allowed: Allowed,
        call: ToolCall,
        exchange: Exchange,
        hears: Hears,
    ) -> Outcome:
        """An allowed call, run in this process; aborted when its agent cancels it."""
        abort = Abort()
        stop = exchange.on_gone(abort.set) if call.client.is_modern else _nothing
        relay = hears.relay()
        try:
            running = run_allowed(
                allowed, on_progress=relay.on_progress, on_log=relay.on_log, abort=abort
            )
            outcome = await settled(running, otherwise=_read)
            await relay.finish()
            return outcome
        except asyncio.CancelledError:
            abort.set()
            raise
        finally:
            stop()
            relay.stop()

    async def _talk(
        self,
        allowed: Allowed,
        call: ToolCall,
        exchange: Exchange,
        hears: Hears,
        talk: Talk,
        inputs: Inputs | None,
    ) -> Outcome | InputRequired | Inputs:
        """An allowed call during which the upstream may ask."""
        opened = OpenCall(agent_id=exchange.principal.agent_id, abort=Abort())
        conversation = Conversation(
            talk,
            source=allowed.tool.source,
            principal=exchange.principal,
            call_id=allowed.record_id,
            ask_later=opened.ask,
            holder_id=await self._paused.holder(),
        )
        try:
            inputs = inputs if inputs is not None else await conversation.brought()
        except (Unanswerable, QuestionRefused, DatabaseError) as problem:
            await _unsent(allowed)
            return outcomes.NotSent(why=str(problem) or "a question could not be answered")
        except BaseException:
            self._paused.beside(_unsent(allowed))
            raise
        opened.run = asyncio.ensure_future(
            converse(
                allowed,
                on_progress=opened.progress,
                on_log=opened.log,
                abort=opened.abort,
                asking=conversation.asking(inputs),
            )
        )
        ended = await self._attend(opened, call, exchange, hears, talk)
        if not isinstance(ended, Asked):
            return ended
        try:
            return await conversation.go_on(ended)
        except (Unanswerable, QuestionRefused, DatabaseError) as problem:
            logger.info("A question of %s is not answered: %s", call.upstream, problem)
            return refused_question()

    async def _attend(
        self,
        opened: OpenCall,
        call: ToolCall,
        exchange: Exchange,
        hears: Hears,
        talk: Talk,
    ) -> Outcome | Asked | InputRequired:
        """Follow a call until it is over or asks its agent, who then has to come back."""
        if opened.run is None:
            raise RuntimeError("a call is attended before it was made")
        opened.run.add_done_callback(_read)
        stop = exchange.on_gone(opened.abort.set) if call.client.is_modern else _nothing
        relay = hears.relay()
        opened.on_progress, opened.on_log = relay.on_progress, relay.on_log
        try:
            while questions := await opened.questions():
                if self.parked.park(opened):
                    return talk.waits_for(opened.id, questions, seconds=self.parked.seconds)
                opened.refuse()
            await relay.finish()
            return await opened.run
        except asyncio.CancelledError:
            opened.abort.set()
            raise
        finally:
            stop()
            opened.on_progress = opened.on_log = None
            relay.stop()

    def _take_back(self, done: asyncio.Future[Any], call: ToolCall, exchange: Exchange) -> None:
        """The agent left while its call was being enforced."""
        if done.cancelled() or done.exception() is not None:
            return
        answer = done.result()
        if isinstance(answer, Paused):
            self._paused.abandon(answer.ticket, exchange, client=call.client)
        elif isinstance(answer, Allowed):
            self._paused.beside(_unsent(answer))


async def _unsent(allowed: Allowed) -> None:
    """Run an allowed call into its abort, so that its record says that nothing was sent."""
    abort = Abort()
    abort.set()
    await run_allowed(allowed, abort=abort)


def may_ask(allowed: Allowed) -> bool:
    """Whether anybody answers questions of the upstream of this call."""
    spec = allowed.tool.source.spec
    return spec is not None and spec.questions.answers_any


def refused_question() -> Outcome:
    """The upstream asked what nobody answers: its call was not completed."""
    return outcomes.Executed(result=refused_result())


def _nothing() -> None:
    """Nobody listens, so there is nothing to stop."""


def _read(done: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody waits for any more."""
    if not done.cancelled() and (problem := done.exception()) is not None:
        logger.error("A call whose agent had left failed.", exc_info=problem)
