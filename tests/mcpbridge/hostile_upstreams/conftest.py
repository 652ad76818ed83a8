"""A hostile upstream behind the whole road of a ticket, beside a calm one that others use.

Every case is measured: seconds, growth of this process, and the slowest call of another agent
while it lasted. The figures are properties of the test; the end of a run prints them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Self
from uuid import UUID

import psutil
import pytest
from django.utils import timezone

from mcpbridge.administration.upstreams import UpstreamSettings, create_upstream
from mcpbridge.approvals_gateway import TicketView, Waiting
from mcpbridge.calls import outcome as outcomes
from mcpbridge.calls.principal import Principal
from mcpbridge.catalog.specs import spec_of
from mcpbridge.executor.allowed import run_allowed
from mcpbridge.executor.tickets import run_ticket
from mcpbridge.models import Agent, AgentToken
from mcpbridge.offload import in_database
from mcpbridge.pep import Allowed, enforce
from tests.mcpbridge.executor.test_tickets import approved, told
from tests.mcpbridge.upstream.conftest import SECRET, HostForTests, short_folder, witness_spec
from tests.mcpbridge.upstream.test_http_hostile import OK, RawServer, http_json
from tests.support.bridge import Bridge, a_bridge, a_call
from tests.support.witness.core import reply

__all__ = ["short_folder"]  # a fixture of the neighbouring folder

MIB = 1 << 20
HASTE = {"connect": 10, "first_byte": 0.8, "total": 1.2}
PATIENCE = {"connect": 10, "first_byte": 30, "total": 40}
CAPS = {"result_bytes": 4 * MIB, "line_bytes": 4 * MIB}
MOST_SECONDS = 20.0  # far less than the patience
MOST_GROWTH = 96 * MIB
SLOWEST_OTHER = 6.0


class Meter:
    """Watches how much memory this process holds, from a thread that nothing here can block."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before = self.peak = self._process.memory_info().rss

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        return self.peak - self.before

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self.peak = max(self.peak, self._process.memory_info().rss)


@dataclass
class Scene:
    """A bridge whose upstream is hostile, and another agent who uses a calm one."""

    bridge: Bridge
    other: Callable[[], Principal]
    told_figure: Callable[[str, object], None]

    async def ticket(self, note: str = "remember") -> UUID:
        return await approved(self.bridge, arguments={"note": note})

    async def run(self, uid: UUID) -> TicketView:
        """Execute the ticket while the other agent goes on calling; measured and bounded."""
        durations: list[float] = []
        await self._other_call()  # opens its session, reads its tools
        calling = asyncio.create_task(self._keep_calling(durations))
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            with Meter() as meter:
                await run_ticket(uid, worker="w1")
                seconds = loop.time() - began
        finally:
            calling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await calling
        slowest = max(durations, default=0.0)
        self.told_figure(
            "figure",
            f"{seconds:5.2f} s, memory +{meter.growth / MIB:5.1f} MiB, another agent's slowest of "
            f"{len(durations)} calls {slowest * 1000:4.0f} ms",
        )
        assert seconds < MOST_SECONDS
        assert meter.growth < MOST_GROWTH
        assert slowest < SLOWEST_OTHER
        await self._other_call()
        return await told(self.bridge, uid)

    async def _keep_calling(self, durations: list[float]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self._other_call()
            durations.append(loop.time() - began)
            await asyncio.sleep(0.02)

    async def _other_call(self) -> None:
        principal = await in_database(self.other)
        call = replace(a_call("echo", {"text": "calm"}), upstream="calm")
        answer = await enforce(principal, call, waiting=Waiting.HANDED_OVER)
        assert isinstance(answer, Allowed)
        assert isinstance(await run_allowed(answer), outcomes.Executed)


def _scene(told_figure: Callable[[str, object], None], calm: str, url: str, **settings) -> Scene:
    bridge = a_bridge(url, **{"timeouts": PATIENCE, "caps": CAPS} | settings)
    create_upstream(
        actor="system:test",
        name="calm",
        settings=UpstreamSettings(
            transport="http",
            url=calm,
            allow_private_addresses=True,
            pin_on_first_contact=True,
            team_ids=frozenset({bridge.cast.team.pk}),
        ),
    )
    agent = Agent.objects.create(
        name="other", team=bridge.cast.team, owner=bridge.cast.alice.person
    )
    token = AgentToken.objects.create(
        agent=agent,
        digest=hashlib.sha256(secrets.token_bytes(32)).digest(),
        hint="efgh",
        expires_at=timezone.now() + timedelta(days=1),
    )

    def other() -> Principal:
        return bridge.principal(agent_id=agent.id, agent_name="other", token_id=token.id)

    return Scene(bridge, other, told_figure)


async def answer_calmly(message, writer) -> None:
    writer.write(http_json(reply(message["id"], OK), extra="Connection: close\r\n"))


@pytest.fixture
async def calm(loop_parts: None) -> AsyncIterator[str]:
    """The address of an upstream that does as it should."""
    async with RawServer(answer_calmly) as server:
        yield server.url


@pytest.fixture
async def over_http(calm: str, record_property):
    """Make a scene whose upstream is at the given address."""

    async def make(url: str, **settings) -> Scene:
        return await in_database(lambda: _scene(record_property, calm, url, **settings))

    return make


@dataclass
class StdioScene(Scene):
    """The same with a stdio server; `mark` stands in its command line."""

    host: HostForTests
    mark: str


@pytest.fixture
async def over_stdio(calm: str, record_property, short_folder: Path, settings):
    """Make a scene whose upstream is the witness over stdio with a mischief."""
    hosts: list[HostForTests] = []

    async def make(mischief: str, **changes) -> StdioScene:
        host = HostForTests(short_folder)
        settings.MCPBRIDGE_STDIO_SOCKET = host.socket
        settings.MCPBRIDGE_STDIO_SECRET = SECRET
        spec = witness_spec(host.record, era="legacy", mischief=mischief)
        made = await in_database(
            lambda: _scene(
                record_property,
                calm,
                "",
                transport="stdio",
                allow_private_addresses=False,
                command=spec.command,
                sandbox={
                    "read_paths": spec.sandbox.read_paths,
                    "write_paths": spec.sandbox.write_paths,
                },
                **changes,
            )
        )
        upstream = made.bridge.upstream
        host.specs[str(upstream.id)] = await in_database(spec_of, upstream)
        await host.start()
        hosts.append(host)
        return StdioScene(**vars(made), host=host, mark=str(host.record))

    yield make
    for host in hosts:
        await host.stop()


@pytest.fixture
def ordinary_user() -> tuple[str, ...]:
    """Words before a command that run it as a user to whom the kernel's limits apply."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
