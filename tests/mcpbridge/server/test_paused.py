"""A held call: over, handed over, withdrawn, or left to its grace period."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError

from mcpbridge.approvals_gateway import CancelReason, State, TicketView, Waiting
from mcpbridge.calls.outcome import Cancelled, Executed, Outcome, Pending, Rejected, Unavailable
from mcpbridge.calls.tool_call import ClientDeclaration
from mcpbridge.server.exchange import Exchange
from mcpbridge.server.holding import AgentLeft
from mcpbridge.server.paused import PausedCalls, reporter
from mcpbridge.server.rendering import Held
from mcpbridge.server.waiting import Waiters
from tests.mcpbridge.server.support import MemoryLedger, a_principal, a_ticket, an_exchange
from tests.support.waiting import PATIENCE, eventually_async

NEVER = 3600.0
MODERN = ClientDeclaration(protocol_version="2026-07-28")
LEGACY = ClientDeclaration(protocol_version="2025-11-25")
PATIENT = Held(seconds=NEVER, report_every=None)


class Scene:
    """One agent, one ledger, and the requests it makes."""

    def __init__(self, ledger: MemoryLedger, waiters: Waiters) -> None:
        self.ledger = ledger
        self.waiters = waiters
        self.paused = PausedCalls(waiters)
        self.principal = a_principal()
        self.ticket = ledger.add(a_ticket(self.principal.agent_id), waiters.holder)
        self.reports: list[str] = []

    @property
    def now(self) -> TicketView:
        return self.ledger.tickets[self.ticket.uid]

    def is_held(self) -> bool:
        holder = self.ledger.holders[self.ticket.uid]
        return holder is not None and not self.now.detached

    def exchange(self) -> Exchange:
        return an_exchange(self.principal)

    async def _send(self, progress: float, message: str) -> None:
        self.reports.append(f"{progress:g} {message}")

    def call(
        self,
        exchange: Exchange | None = None,
        *,
        client: ClientDeclaration = MODERN,
        style: Held = PATIENT,
    ) -> asyncio.Task[Outcome]:
        return asyncio.create_task(
            self.paused.wait_for_call(
                self.now,
                exchange or self.exchange(),
                client=client,
                style=style,
                report=reporter(self._send, lambda view: f"{view.have} of {view.need}"),
            )
        )

    def again(
        self, exchange: Exchange | None = None, *, style: Held = PATIENT, **changes: Any
    ) -> asyncio.Task[Outcome]:
        return asyncio.create_task(
            self.paused.wait_again(
                changes.get("uid", self.ticket.uid),
                exchange or self.exchange(),
                client=MODERN,
                style=style,
                report=reporter(self._send, lambda view: "again"),
            )
        )

    async def until_held(self, requests: int = 1) -> None:
        looks = self.ledger.calls.count
        await eventually_async(lambda: len(self.waiters) >= requests and looks("states"))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    ledger = MemoryLedger()
    waiters = Waiters(look_seconds=NEVER, heartbeat_seconds=NEVER, ledger=ledger)
    await waiters.start()
    yield Scene(ledger, waiters)
    await waiters.close()


async def test_a_decision_reaches_the_held_call(scene: Scene) -> None:
    held = scene.call()
    await scene.until_held()
    scene.ledger.end(scene.ticket.uid, State.REJECTED, ring=True, reason="not on a Friday")
    outcome = await asyncio.wait_for(held, PATIENCE)
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "not on a Friday"
    assert len(scene.waiters) == 0


@pytest.mark.parametrize(("upstream", "is_found"), [(None, True), ("git", True), ("mail", False)])
async def test_at_an_upstreams_own_endpoint_only_its_tickets_are_waited_for(
    scene: Scene, upstream: str | None, is_found: bool
) -> None:
    exchange = scene.exchange()
    exchange.upstream = upstream
    scene.ledger.end(scene.ticket.uid, State.REJECTED, reason="not on a Friday")
    scene.ledger.calls.clear()
    outcome = await asyncio.wait_for(scene.again(exchange), PATIENCE)
    assert isinstance(outcome, Rejected) is is_found
    assert ("attach" in scene.ledger.calls) is is_found
    if not is_found:
        stranger = await asyncio.wait_for(scene.again(uid=uuid4()), PATIENCE)
        assert outcome == stranger  # as if there were none
    assert len(scene.waiters) == 0


async def test_a_decision_between_submission_and_registration_is_not_missed(scene: Scene) -> None:
    before = scene.now
    scene.ledger.end(scene.ticket.uid, State.SUCCEEDED, result=b'{"content":[]}')
    outcome = await asyncio.wait_for(
        scene.paused.wait_for_call(
            before,
            scene.exchange(),
            client=MODERN,
            style=PATIENT,
            report=reporter(scene._send, lambda view: ""),
        ),
        PATIENCE,
    )
    assert isinstance(outcome, Executed)


async def test_the_outcome_counts_as_delivered_only_once_it_was_written(scene: Scene) -> None:
    exchange = scene.exchange()
    scene.ledger.end(scene.ticket.uid, State.REJECTED)
    await asyncio.wait_for(scene.call(exchange), PATIENCE)
    assert scene.ledger.delivered == []
    sent: list[object] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await exchange.sending(send)({"type": "http.response.body", "body": b"x"})
    exchange.responded()
    await eventually_async(lambda: scene.ledger.delivered == [scene.ticket.uid])


async def test_an_outcome_that_was_not_written_stays_undelivered(scene: Scene) -> None:
    exchange = scene.exchange()
    scene.ledger.end(scene.ticket.uid, State.REJECTED)
    await asyncio.wait_for(scene.call(exchange), PATIENCE)
    exchange.responded()
    await scene.waiters.close()
    assert scene.ledger.delivered == []


async def test_at_the_hold_limit_the_call_is_handed_over_and_stays_pending(scene: Scene) -> None:
    outcome = await asyncio.wait_for(
        scene.call(style=Held(seconds=0.05, report_every=None)), PATIENCE
    )
    assert isinstance(outcome, Pending)
    assert outcome.ticket.uid == str(scene.ticket.uid)
    assert scene.now.waiting is Waiting.HANDED_OVER
    assert not scene.now.is_over


async def test_an_outcome_at_the_very_limit_is_told_rather_than_handed_over(scene: Scene) -> None:
    original = scene.ledger.hand_over

    def decided_first(*, uid: Any, **how: Any) -> TicketView:
        scene.ledger.end(uid, State.REJECTED)
        return original(uid=uid, **how)

    scene.ledger.hand_over = decided_first  # type: ignore[method-assign] # the race, staged
    outcome = await asyncio.wait_for(
        scene.call(style=Held(seconds=0.02, report_every=None)), PATIENCE
    )
    assert isinstance(outcome, Rejected)


async def test_progress_is_reported_at_once_and_then_regularly(scene: Scene) -> None:
    held = scene.call(style=Held(seconds=NEVER, report_every=0.05))
    await eventually_async(lambda: len(scene.reports) >= 3)
    assert scene.reports[:3] == ["1 0 of 1", "2 0 of 1", "3 0 of 1"]
    held.cancel()


async def test_without_a_progress_token_nothing_is_reported(scene: Scene) -> None:
    await asyncio.wait_for(scene.call(style=Held(seconds=0.1, report_every=None)), PATIENCE)
    assert scene.reports == []


async def close_stream(exchange: Exchange) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    watched = exchange.receiving(receive)
    await watched()
    await watched()


async def test_a_closed_stream_of_the_modern_revision_cancels_what_was_sent_and_no_more(
    scene: Scene,
) -> None:
    exchange = scene.exchange()
    held = scene.call(exchange)
    await scene.until_held()
    await close_stream(exchange)
    with pytest.raises(AgentLeft):
        await asyncio.wait_for(held, PATIENCE)
    await eventually_async(lambda: scene.now.detached)
    assert "withdraw" in scene.ledger.calls
    assert not scene.now.is_over


async def test_a_disconnect_is_no_cancel_in_older_revisions(scene: Scene) -> None:
    exchange = scene.exchange()
    held = scene.call(exchange, client=LEGACY)
    await scene.until_held()
    await close_stream(exchange)
    with pytest.raises(AgentLeft):
        await asyncio.wait_for(held, PATIENCE)
    await eventually_async(lambda: scene.now.detached)
    assert not scene.now.is_over


async def test_an_explicit_cancel_of_older_revisions_withdraws_at_once(scene: Scene) -> None:
    exchange = scene.exchange()
    held = scene.call(exchange, client=LEGACY)
    await scene.until_held()
    exchange.cancelled = True
    held.cancel()
    await eventually_async(lambda: scene.now.cancel_reason is CancelReason.WITHDRAWN)


async def test_a_session_that_just_ends_leaves_its_calls_their_grace(scene: Scene) -> None:
    held = scene.call(client=LEGACY)
    await scene.until_held()
    held.cancel()
    await eventually_async(lambda: scene.now.detached)
    assert not scene.now.is_over


async def test_nothing_is_withdrawn_while_another_request_waits_here(scene: Scene) -> None:
    first, second = scene.exchange(), scene.exchange()
    leaving, staying = scene.call(first), scene.call(second)
    await scene.until_held(2)
    await close_stream(first)
    with pytest.raises(AgentLeft):
        await asyncio.wait_for(leaving, PATIENCE)
    scene.ledger.end(scene.ticket.uid, State.REJECTED, ring=True)
    assert isinstance(await asyncio.wait_for(staying, PATIENCE), Rejected)
    assert "withdraw" not in scene.ledger.calls


async def test_nothing_is_withdrawn_that_another_process_holds(scene: Scene) -> None:
    exchange = scene.exchange()
    held = scene.call(exchange)
    await scene.until_held()
    scene.ledger.holders[scene.ticket.uid] = scene.principal.token_id  # somebody else's lease
    await close_stream(exchange)
    with pytest.raises(AgentLeft):
        await asyncio.wait_for(held, PATIENCE)
    await eventually_async(lambda: "withdraw" in scene.ledger.calls)
    assert not scene.now.is_over


async def test_a_cancel_among_requests_of_other_processes_only_begins_the_grace_period(
    scene: Scene,
) -> None:
    exchange = scene.exchange()
    scene.ledger.change(scene.ticket.uid, requests=2)
    held = scene.call(exchange)
    await scene.until_held()
    await close_stream(exchange)
    with pytest.raises(AgentLeft):
        await asyncio.wait_for(held, PATIENCE)
    await eventually_async(lambda: scene.now.detached)
    assert not scene.now.is_over


async def test_the_last_of_several_requests_made_here_withdraws(scene: Scene) -> None:
    for requests in (1, 2):
        exchange = scene.exchange()
        scene.ledger.change(scene.ticket.uid, requests=requests)
        held = scene.call(exchange, client=LEGACY)
        await eventually_async(scene.is_held)
        await scene.until_held(1)
        if requests == 2:
            exchange.cancelled = True
        held.cancel()
        await asyncio.wait({held})
        await eventually_async(lambda: scene.now.detached or scene.now.is_over)
    await eventually_async(lambda: scene.now.cancel_reason is CancelReason.WITHDRAWN)


async def test_a_handed_over_call_is_waited_for_again(scene: Scene) -> None:
    await asyncio.wait_for(scene.call(style=Held(seconds=0.02, report_every=None)), PATIENCE)
    waiting = scene.again()
    await eventually_async(lambda: scene.now.waiting is Waiting.HELD)
    scene.ledger.end(scene.ticket.uid, State.CANCELLED, ring=True, cancel_reason=CancelReason.OWNER)
    assert isinstance(await asyncio.wait_for(waiting, PATIENCE), Cancelled)


async def test_whoever_stops_waiting_again_may_still_come_back(scene: Scene) -> None:
    exchange = scene.exchange()
    waiting = scene.again(exchange)
    await scene.until_held()
    await close_stream(exchange)
    with pytest.raises(AgentLeft):
        await asyncio.wait_for(waiting, PATIENCE)
    await eventually_async(lambda: scene.now.waiting is Waiting.HANDED_OVER)
    assert not scene.now.is_over


async def test_a_ticket_of_another_agent_is_as_good_as_none(scene: Scene) -> None:
    stranger = an_exchange(a_principal())
    outcome = await asyncio.wait_for(scene.again(stranger), PATIENCE)
    assert isinstance(outcome, Unavailable)
    unknown = await asyncio.wait_for(scene.again(uid=scene.principal.agent_id), PATIENCE)
    assert unknown == outcome
    assert len(scene.waiters) == 0


async def test_a_ticket_that_was_opened_for_nobody_is_left(scene: Scene) -> None:
    exchange = scene.exchange()
    await close_stream(exchange)
    scene.paused.abandon(scene.now, exchange, client=MODERN)
    await eventually_async(lambda: scene.now.detached)


async def test_a_database_that_is_away_does_not_end_a_held_call(scene: Scene) -> None:
    held = scene.call()
    await scene.until_held()
    scene.ledger.broken = OperationalError("away")
    scene.ledger.memory_bus.ring({"lost": True})
    await eventually_async(lambda: scene.ledger.calls.count("view") >= 1)
    scene.ledger.broken = None
    scene.ledger.end(scene.ticket.uid, State.REJECTED, ring=True)
    assert isinstance(await asyncio.wait_for(held, PATIENCE), Rejected)


async def test_leaving_is_written_even_if_the_database_was_away(scene: Scene) -> None:
    exchange = scene.exchange()
    held = scene.call(exchange)
    await scene.until_held()
    scene.ledger.broken = OperationalError("away")
    await close_stream(exchange)
    with pytest.raises(AgentLeft):
        await asyncio.wait_for(held, PATIENCE)
    await eventually_async(lambda: "withdraw" in scene.ledger.calls)
    scene.ledger.broken = None
    await eventually_async(lambda: scene.now.detached)
