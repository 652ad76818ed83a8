"""Kills workers in the four windows of a call and judges what is left.

Real processes throughout: web, workers, broker, database, and the witness, whose record on disk
is the judge of what was executed. Of each window a round opens a batch of calls with the official
clients of both eras, approves them, waits until every one is in the window, and kills the worker
with SIGKILL while another one stands by.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp.client.client import Client

from approvals.api import State
from approvals.audit.verification import verify
from mcpbridge.offload import in_database
from placet.up import programs
from tests.kills import crowd
from tests.kills.crowd import Paused
from tests.kills.road import Road
from tests.kills.windows import WINDOWS, Window, World
from tests.support import witness as witnesses
from tests.support.bridge import Bridge
from tests.support.databases import RealDatabase
from tests.support.live import LivePlacet
from tests.support.processes import Running
from tests.support.valkey import ValkeyServer
from tests.support.waiting import PATIENCE, eventually_async

LEASE = 4.0
PROMISED = LEASE + 2.0  # seconds from the kill until the outcome is said to be unknown
BATCH = 10
UNWANTED = {State.OUTCOME_UNKNOWN, State.SUCCEEDED, State.FAILED, State.CANCELLED}
SHORT = {"PLACET_LEASE_SECONDS": f"{LEASE:g}"}
SAID = "io.modelcontextprotocol/tool-approval-disposition"


@dataclass
class Tally:
    """What became of the calls of one window."""

    window: str
    kills: int = 0
    calls: int = 0
    executed: int = 0
    unknown: int = 0
    twice: int = 0
    settled: list[float] = field(default_factory=list)  # seconds from the kill, a batch each

    def is_late(self) -> bool:
        """Whether some outcome was said to be unknown later than promised."""
        return bool(self.unknown) and max(self.settled) > PROMISED


class Harness:
    """One installation, killed again and again."""

    def __init__(self, placet: LivePlacet, world: World, bridge: Bridge, secret: str) -> None:
        self.program = programs.worker(4)
        self.placet = placet
        self.world = world
        self.bridge = bridge
        self.secret = secret
        self.worker: Running | None = None
        self.warm = False
        self.waiting: list[asyncio.Task[Any]] = []
        self.tallies = {kind.letter: Tally(f"{kind.letter}: {kind.name}") for kind in WINDOWS}

    async def run(
        self, rounds: int, *, batch: int = BATCH, windows: Sequence[type[Window]] = WINDOWS
    ) -> list[Tally]:
        """`rounds` calls killed in each window, then the judgement over all of them."""
        self.worker = await self._a_worker()
        async with crowd.official_clients(self.placet.url, self.secret) as clients:
            left = rounds
            while left:
                size = min(batch, left)
                for kind in windows:
                    await self._kill_in(kind(), size, clients)
                left -= size
        assert await in_database(crowd.unfinished) == 0, "some ticket has no outcome"
        breaks = await in_database(verify)
        assert not breaks, f"the audit record is broken: {breaks[0]}"
        self._judge_promptness()
        return list(self.tallies.values())

    async def _kill_in(self, window: Window, size: int, clients: Sequence[Client]) -> None:
        tally = self.tallies[window.letter]
        if not window.wants_fresh_worker:
            await self._warm_up(clients)
        assert self.warm is not window.wants_fresh_worker
        paused = await self._paused(clients, size)
        await window.prepare(self.world)
        await in_database(crowd.approve, paused.uids, self.bridge.cast.bob)
        await self._all_in(window, paused)
        await window.reach(self.world, paused)
        successor = await self._a_worker()
        await self._all_in(window, paused)
        killed_at = await self._kill(window, paused)
        await window.undo(self.world)
        self.worker, self.warm = successor, window.runs_again
        goal = State.SUCCEEDED if window.runs_again else State.OUTCOME_UNKNOWN
        await self._ends(paused, goal, killed_at, tally)
        tally.kills, tally.calls = tally.kills + 1, tally.calls + size
        await self._judge(window, paused, tally)

    async def _paused(self, clients: Sequence[Client], count: int) -> Paused:
        paused = await crowd.open_tickets(clients, count)
        self.waiting += paused.answers.values()
        return paused

    async def _kill(self, window: Window, paused: Paused) -> float:
        """Kill -9 with every ticket in the window; returns when."""
        assert self.worker is not None
        await window.last_act(self.world, paused)
        seen = await in_database(crowd.states, paused.uids)
        self.worker.kill()
        killed_at = time.monotonic()
        assert seen == {window.state: len(paused.tickets)}, f"killed outside {window.name}: {seen}"
        if not window.reaches_witness:
            assert not set(crowd.counted(self.world.witness)) & set(paused.tickets)
        return killed_at

    async def _all_in(self, window: Window, paused: Paused) -> None:
        async def look() -> bool:
            seen = await in_database(crowd.states, paused.uids)
            assert not set(seen) & UNWANTED, f"too early, before {window.name}: {dict(seen)}"
            return seen == {window.state: len(paused.tickets)}

        await eventually_async(look, within=45, why=f"all calls {window.name}")

    async def _ends(self, paused: Paused, goal: State, killed_at: float, tally: Tally) -> None:
        async def look() -> bool:
            return (await in_database(crowd.states, paused.uids)) == {goal: len(paused.tickets)}

        try:
            await eventually_async(look, within=60)
        except AssertionError:
            seen = await in_database(crowd.states, paused.uids)
            twice = self._twice(paused)
            raise AssertionError(
                f"{tally.window}: {dict(seen)} instead of {goal} after "
                f"{time.monotonic() - killed_at:.1f} s; executed twice: {len(twice)}"
            ) from None
        tally.settled.append(time.monotonic() - killed_at)

    def _twice(self, paused: Paused) -> list[str]:
        counts = crowd.counted(self.world.witness)
        return [note for note in paused.tickets if counts[note] > 1]

    async def _judge(self, window: Window, paused: Paused, tally: Tally) -> None:
        """The witness, the agents, the reviewer and the record must all say the same."""
        told = await asyncio.wait_for(asyncio.gather(*paused.answers.values()), PATIENCE)
        counts = crowd.counted(self.world.witness)
        tally.twice += len(self._twice(paused))
        assert not self._twice(paused), f"{tally.window}: the witness counts two for one ticket"
        for note, answer in zip(paused.answers, told, strict=True):
            if window.runs_again:
                assert counts[note] == 1, f"the witness counts {counts[note]} for {note}"
                assert not answer.is_error, answer
                tally.executed += 1
            else:
                assert counts[note] == (1 if window.reaches_witness else 0)
                assert_says_unknown(answer)
                tally.unknown += 1
        sends = await in_database(crowd.sends, paused.uids)
        assert set(sends.values()) == {1}, f"sends on record: {sends}"
        for page in await in_database(crowd.pages_of, paused.uids, self.bridge.cast.bob):
            # Earlier tickets stand further down, with their own outcomes.
            unknown = re.search(r"Ticket \d+ Outcome unknown", page) and "disappeared" in page
            assert bool(unknown) is not window.runs_again, page

    def _judge_promptness(self) -> None:
        """One batch may be swept late, when this machine was busy elsewhere; all are not."""
        waited = [
            took for tally in self.tallies.values() if tally.unknown for took in tally.settled
        ]
        assert not waited or min(waited) < PROMISED, f"swept after {waited} s"

    async def _warm_up(self, clients: Sequence[Client]) -> None:
        """One ordinary call, so that the worker knows the tools; it also shows that all works."""
        if self.warm:
            return
        paused = await self._paused(clients, 1)
        await in_database(crowd.approve, paused.uids, self.bridge.cast.bob)
        [answer] = await asyncio.wait_for(asyncio.gather(*paused.answers.values()), 30)
        assert not answer.is_error, answer
        self.warm = True

    async def _a_worker(self) -> Running:
        worker = self.placet.run(self.program)
        await eventually_async(
            lambda: in_database(crowd.beats, worker.pid), within=60, why=worker.output
        )
        return worker


def assert_says_unknown(answer: Any) -> None:
    """The agent is told that it may have happened and not to repeat it."""
    text = answer.content[0].text
    assert answer.is_error, answer
    assert "Outcome unknown" in text, text
    assert "Do not repeat it" in text, text
    assert (answer.meta or {}).get(SAID) == "outcome-unknown", answer


@asynccontextmanager
async def a_harness(
    *, database: RealDatabase, broker: ValkeyServer, folder: Path
) -> AsyncIterator[Harness]:
    """A web process, a broker, the witness behind a road that can be blocked; no worker yet."""
    witness = witnesses.start(folder / "witness")
    road = Road(witness.url)
    placet = LivePlacet(database=database, broker=broker, folder=folder, variables=SHORT)
    harness: Harness | None = None
    try:
        road.open()
        bridge, secret = await in_database(crowd.a_crowd, road.url)
        await asyncio.to_thread(placet.start, worker=False)
        world = World(database=database, witness=witness, road=road)
        harness = Harness(placet, world, bridge, secret)
        yield harness
    finally:
        for call in harness.waiting if harness is not None else ():
            call.cancel()
        await asyncio.to_thread(placet.stop)
        await road.close()
        witness.stop()
