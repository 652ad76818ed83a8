"""A real Celery worker over real rows: it executes what was approved, broker or not."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from uuid import UUID

import pytest

from approvals import api
from approvals.models import Ticket
from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import State, TicketView, UnknownReason, Waiting
from mcpbridge.offload import in_database
from mcpbridge.pep import Paused, enforce
from placet import heartbeats
from placet.up.programs import Program
from tests.support.bridge import Bridge, a_call
from tests.support.databases import RealDatabase
from tests.support.live import LivePlacet
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness import Witness

pytestmark = [pytest.mark.usefixtures("loop_parts"), pytest.mark.both_engines, pytest.mark.alone]

SHORT = {"PLACET_LEASE_SECONDS": "4"}


@pytest.fixture
def brokerless(real_db: RealDatabase, bridge: Bridge, tmp_path: Path) -> Iterator[LivePlacet]:
    """Processes whose broker is nowhere to be found."""
    placet = LivePlacet(database=real_db, broker=None, folder=tmp_path, variables=SHORT)
    try:
        yield placet
    finally:
        placet.stop()


async def paused(bridge: Bridge, tool: str = "write_note", arguments=None) -> UUID:
    principal = await in_database(bridge.principal)
    call = a_call(tool, arguments if arguments is not None else {"note": token_hex(4)})
    answer = await enforce(principal, call, waiting=Waiting.TASK)
    assert isinstance(answer, Paused)
    return answer.ticket.uid


async def decide(bridge: Bridge, uid: UUID, verdict: api.Answer = api.Answer.APPROVE) -> None:
    def vote() -> None:
        api.decide(
            uid=uid,
            user=bridge.cast.bob,
            verdict=verdict,
            seen_digest=bytes(Ticket.objects.get(uid=uid).digest),
            reason="",
            nonce=token_hex(16),
        )

    await in_database(vote)


async def told(bridge: Bridge, uid: UUID) -> TicketView:
    return await in_database(ledger.view, uid=uid, agent_id=bridge.agent.id)


async def reaches(
    bridge: Bridge, uid: UUID, state: State, *, within: float = PATIENCE
) -> TicketView:
    async def look() -> TicketView | None:
        ticket = await told(bridge, uid)
        return ticket if ticket.state == state else None

    return await eventually_async(look, within=within, why=f"{uid} in {state}")


async def test_a_worker_without_a_broker_executes_what_was_approved(
    brokerless: LivePlacet, bridge: Bridge, upstream_witness: Witness
):
    worker = brokerless.start_worker()
    uids = [await paused(bridge) for _ in range(3)]
    for uid in uids:
        await decide(bridge, uid)
    for uid in uids:
        await reaches(bridge, uid, State.SUCCEEDED)
    assert len(upstream_witness.calls()) == 3
    assert worker.alive()
    assert await in_database(heartbeats.seen, "worker")


async def test_a_worker_winds_up_what_was_rejected(brokerless: LivePlacet, bridge: Bridge):
    brokerless.start_worker()
    uid = await paused(bridge)
    await decide(bridge, uid, api.Answer.REJECT)
    await eventually_async(
        lambda: in_database(
            lambda: Ticket.objects.filter(uid=uid, wound_up_at__isnull=False).exists()
        ),
    )
    assert (await told(bridge, uid)).state == State.REJECTED


async def test_a_killed_worker_leaves_an_unknown_outcome_and_nothing_runs_again(
    brokerless: LivePlacet, bridge: Bridge, upstream_witness: Witness
):
    worker = brokerless.start_worker()
    upstream_witness.hold()
    uid = await paused(bridge)
    await decide(bridge, uid)
    await eventually_async(upstream_witness.calls)
    worker.kill()
    brokerless.start_worker()
    ticket = await reaches(bridge, uid, State.OUTCOME_UNKNOWN)
    assert ticket.unknown_reason == UnknownReason.LEASE_LOST
    assert len(upstream_witness.calls()) == 1


async def test_a_stopped_worker_aborts_what_does_not_end_and_says_so(
    brokerless: LivePlacet, bridge: Bridge, upstream_witness: Witness
):
    worker = brokerless.start_worker()
    uid = await paused(bridge, "count", {})
    upstream_witness.hold()
    await decide(bridge, uid)
    await eventually_async(upstream_witness.calls)
    worker.signal(signal.SIGTERM)
    ticket = await reaches(bridge, uid, State.OUTCOME_UNKNOWN)
    assert ticket.unknown_reason == UnknownReason.ABORTED
    await eventually_async(lambda: not worker.alive())


async def test_a_hint_through_the_broker_starts_the_call_before_any_look_does(
    live_placet: LivePlacet, bridge: Bridge, upstream_witness: Witness
):
    rarely = {"PLACET_SWEEP_SECONDS": "300", "PLACET_LEASE_SECONDS": "600"}
    worker = live_placet.start_worker(**rarely)
    await eventually_async(lambda: in_database(lambda: heartbeats.seen("worker")))
    uid = await paused(bridge)
    await decide(bridge, uid)
    publish = (
        "import django; django.setup(); import placet.celery; from mcpbridge import tasks;"
        f"tasks.execute_ticket.apply_async(kwargs={{'ticket_id': '{uid}'}})"
    )
    live_placet.run(
        Program(name="publisher", argv=(sys.executable, "-c", publish)),
        DJANGO_SETTINGS_MODULE="placet.settings",
    )
    await reaches(bridge, uid, State.SUCCEEDED)
    assert len(upstream_witness.calls()) == 1
    assert worker.alive()
