"""A paused call on this side: a task, or held, then over, put down, withdrawn, or left to its end.

Who leaves how: `notifications/cancelled` takes a call back at once, unless it says that the client
ran out of time. A closed stream is a disconnect; in 2026-07-28 also a cancel, which asks what was
sent already to abort. Whoever only left has the grace period to come back. Nothing is taken back
while another request waits for the same ticket, here or in another process. Knows no policy and
no upstream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db import DatabaseError

from mcpbridge import conf
from mcpbridge.approvals_gateway import NotVisible, TicketView, Waiting
from mcpbridge.calls.outcome import Outcome, Unavailable, outcome_of
from mcpbridge.calls.tool_call import ClientDeclaration
from mcpbridge.offload import in_database
from mcpbridge.server.exchange import Exchange
from mcpbridge.server.holding import AgentLeft, Report, hold
from mcpbridge.server.rendering import Held
from mcpbridge.server.rounds import GAP_SECONDS, Round
from mcpbridge.server.waiting import Waiter, Waiters, settled

logger = logging.getLogger(__name__)

type Kind = Literal["call", "await"]


@dataclass(frozen=True, slots=True)
class AnotherRound:
    """Not over at the hold limit, and the client is to send the same request again."""

    ticket: TicketView


type HeldOutcome = Outcome | AnotherRound


class PausedCalls:
    """Waits for tickets on behalf of the agents' requests."""

    def __init__(self, waiters: Waiters) -> None:
        self._waiters = waiters

    async def holder(self) -> UUID:
        """The lease under which this process holds calls."""
        return await self._waiters.start()

    async def wait_for_call(
        self,
        ticket: TicketView,
        exchange: Exchange,
        *,
        client: ClientDeclaration,
        style: Held,
        report: Report,
    ) -> HeldOutcome:
        """The outcome of a call that was just paused, or that it is still pending."""
        waiter = self._waiters.join(ticket.uid, exchange.principal.agent_id, is_call=True)
        waiter.saw(ticket)
        return await self._wait(
            waiter, ticket, exchange, kind="call", client=client, style=style, report=report
        )

    async def wait_again(
        self,
        uid: UUID,
        exchange: Exchange,
        *,
        client: ClientDeclaration,
        style: Held,
        report: Report,
        come_back: Round | None = None,
        kind: Kind = "await",
    ) -> HeldOutcome:
        """The outcome of an earlier call of this agent, or that it is still pending.

        At an upstream's own endpoint only calls of that upstream are found: a token may open no
        more than that. `come_back`: the round that brings the request here; raises StateUsed.
        `kind`: whether the request is that call itself, sent again, or only waits for it.
        """
        waiter = self._waiters.join(uid, exchange.principal.agent_id)
        try:
            by = None if come_back is None else come_back.attach
            if exchange.upstream is not None:
                await self._require_within(uid, exchange)
            ticket = await self._waiters.attach(waiter, by=by)
        except NotVisible:
            self._waiters.leave(waiter)
            return Unavailable(why="this agent has no ticket with that id", retry=False)
        except BaseException:
            self._waiters.leave(waiter)
            raise
        return await self._wait(
            waiter, ticket, exchange, kind=kind, client=client, style=style, report=report
        )

    async def _require_within(self, uid: UUID, exchange: Exchange) -> None:
        """Raise NotVisible for a ticket of another upstream than the endpoint's."""
        agent_id = exchange.principal.agent_id
        ticket = await in_database(self._waiters.ledger.view, uid=uid, agent_id=agent_id)
        if ticket.upstream_name != exchange.upstream:
            raise NotVisible

    def begun(self, ticket: TicketView, exchange: Exchange) -> None:
        """A task is told to its agent; if that fails, nobody can ever ask for it: it is taken back.

        Unless another request stands behind it, whose answer named the same task.
        """
        told = False

        def written() -> None:
            nonlocal told
            told = True

        exchange.on_written(written)
        exchange.on_over(lambda: None if told else self._take_task_back(ticket))

    def told(self, ticket: TicketView, exchange: Exchange) -> None:
        """The agent is told how a ticket ended: once written, it counts as delivered."""
        if ticket.is_over:
            exchange.on_written(self._delivered(ticket.uid))

    def beside(self, work: Coroutine[Any, Any, Any]) -> None:
        """Finish something whose request is gone."""
        self._waiters.spawn(work, name="beside-requests")

    def abandon(self, ticket: TicketView, exchange: Exchange, *, client: ClientDeclaration) -> None:
        """A ticket was opened for a request whose agent had already left."""
        if ticket.waiting is Waiting.TASK:
            self._take_task_back(ticket)
            return
        waiter = self._waiters.join(ticket.uid, exchange.principal.agent_id, is_call=True)
        waiter.saw(ticket)
        self._let_go(waiter, exchange, kind="call", client=client)

    async def _wait(
        self,
        waiter: Waiter,
        ticket: TicketView,
        exchange: Exchange,
        *,
        kind: Kind,
        client: ClientDeclaration,
        style: Held,
        report: Report,
    ) -> HeldOutcome:
        try:
            view = await hold(
                self._waiters, waiter, exchange, ticket=ticket, style=style, report=report
            )
            if not view.is_over:
                view = await self._handed_over(waiter, view, style)
        except (asyncio.CancelledError, AgentLeft):
            self._let_go(waiter, exchange, kind=kind, client=client)
            raise
        except BaseException:
            self._let_go(waiter, exchange, kind="await", client=client)
            raise
        self._waiters.leave(waiter)
        logger.info(
            "Ticket %d: its agent is told that it is %s.",
            view.number,
            view.state.value if view.is_over else "still pending",
            extra={"ticket": str(view.uid)},
        )
        if not view.is_over and style.rounds_left:
            return AnotherRound(view)
        self.told(view, exchange)
        return outcome_of(view, public_url=conf.public_url())

    async def _handed_over(self, waiter: Waiter, last: TicketView, style: Held) -> TicketView:
        """The agent is told to come back: from now on the ticket waits without a holder.

        A client that sends its request again does so at once. The wait for it is short, unless
        other requests of the same ticket may have been told to come back later.
        """
        alone = style.rounds_left > 0 and waiter.requests <= 1
        how: dict[str, Any] = {"uid": waiter.uid, "seconds": GAP_SECONDS if alone else None}
        try:
            return await settled(
                in_database(self._waiters.ledger.hand_over, **how),
                otherwise=lambda _done: None,
            )
        except DatabaseError:
            self._waiters.insist(self._waiters.ledger.hand_over, **how)
            return last

    def _let_go(
        self, waiter: Waiter, exchange: Exchange, *, kind: Kind, client: ClientDeclaration
    ) -> None:
        """The request ended without its outcome; what that means is written beside it."""
        if not self._waiters.leave(waiter) or (holder := self._waiters.holder) is None:
            return
        insist, ledger = self._waiters.insist, self._waiters.ledger
        closed = exchange.gone and client.is_modern
        if kind == "await":
            # Whoever waits again was told that it may come back, and still may.
            insist(ledger.hand_over, uid=waiter.uid, holder_id=holder)
        elif (exchange.cancelled or closed) and self._waiters.has_all_requests(waiter):
            insist(
                ledger.withdraw,
                uid=waiter.uid,
                agent_id=waiter.agent_id,
                holder_id=holder,
                may_return=not exchange.cancelled,
            )
        else:
            # Also a cancel, when another process may hold a request for it: that one will notice.
            insist(ledger.detach, uid=waiter.uid, holder_id=holder)

    def _take_task_back(self, ticket: TicketView) -> None:
        self._waiters.insist(
            self._waiters.ledger.withdraw, uid=ticket.uid, agent_id=ticket.agent_id, requests=1
        )

    def _delivered(self, uid: UUID) -> Callable[[], None]:
        return lambda: self._waiters.insist(self._waiters.ledger.mark_delivered, uid=uid)


def reporter(
    send: Callable[[float, str], Awaitable[None]], words: Callable[[TicketView], str]
) -> Report:
    """Progress for people who are waited for: a number that grows, and who is waited for."""
    sent = 0

    async def report(view: TicketView) -> None:
        nonlocal sent
        sent += 1
        await send(float(sent), words(view))

    return report
