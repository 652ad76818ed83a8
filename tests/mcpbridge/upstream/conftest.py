"""A stdio host in this process, on leases that live in memory."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest

from mcpbridge.upstream.client import UpstreamPool
from mcpbridge.upstream.sandbox import Kind
from mcpbridge.upstream.spec import SandboxProfile, UpstreamSpec
from mcpbridge.upstream.stdio.host import StdioHost
from mcpbridge.upstream.stdio.keeper import Status
from tests.support import witness

SECRET = b"known to the tests and their host"
REPOSITORY = Path(__file__).resolve().parents[3]


class MemoryLeases:
    def __init__(self) -> None:
        self.held: dict[tuple[str, str], int] = {}
        self.taken_by_others: set[str] = set()
        self.broken = False
        self.statuses: dict[tuple[str, str], Status] = {}
        self._fence = 0

    async def acquire(self, *, upstream_id: str, scope: str) -> int | None:
        if self.broken:
            raise ConnectionError("no database")
        if upstream_id in self.taken_by_others or (upstream_id, scope) in self.held:
            return None
        self._fence += 1
        self.held[upstream_id, scope] = self._fence
        return self._fence

    async def renew(self, *, upstream_id: str, scope: str, fence: int, status: Status) -> bool:
        if self.broken:
            raise ConnectionError("no database")
        self.statuses[upstream_id, scope] = status
        return self.held.get((upstream_id, scope)) == fence

    async def release(self, *, upstream_id: str, scope: str, fence: int) -> None:
        if self.held.get((upstream_id, scope)) == fence:
            del self.held[upstream_id, scope]


def witness_spec(
    record: Path, *, era: str = "both", mischief: str = "none", **changes
) -> UpstreamSpec:
    record.mkdir(exist_ok=True)
    profile = SandboxProfile(
        read_paths=(str(REPOSITORY / "tests" / "support" / "witness"),),
        write_paths=(str(record),),
        accept_unsandboxed=True,
    )
    settings = {
        "id": "w",
        "name": "witness",
        "transport": "stdio",
        "command": witness.command(record, era=era, extra=("--mischief", mischief)),
        "sandbox": profile,
    }
    return UpstreamSpec(**(settings | changes))


class HostForTests:
    def __init__(self, folder: Path, kind: Kind = "bubblewrap") -> None:
        self.folder = folder
        self.socket = str(folder / "host.sock")
        self.specs: dict[str, UpstreamSpec] = {}
        self.leases = MemoryLeases()
        self.pool = self.another_pool()
        self.kind: Kind = kind
        self._task: asyncio.Task[None] | None = None

    def another_pool(self, **changes) -> UpstreamPool:
        return UpstreamPool(stdio_socket=self.socket, stdio_secret=SECRET, **changes)

    async def source(self) -> dict[str, UpstreamSpec]:
        return dict(self.specs)

    async def start(self, **changes) -> None:
        settings = {"tick_seconds": 0.1, "lease_seconds": 2.0} | changes
        host = StdioHost(
            socket_path=self.socket,
            secret=SECRET,
            data_folder=str(self.folder / "data"),
            source=self.source,
            leases=self.leases,
            kind=lambda: self.kind,
            **settings,
        )
        serving = asyncio.create_task(host.serve())
        ready = asyncio.create_task(host.ready.wait())
        await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        if serving.done():
            ready.cancel()
            await serving
        self._task = serving

    async def stop(self) -> None:
        await self.pool.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def witness(self, *, era: str = "both", mischief: str = "none", **changes) -> UpstreamSpec:
        """Configure the witness as upstream `w`; its record lies in `self.record`."""
        spec = witness_spec(self.record, era=era, mischief=mischief, **changes)
        self.specs[spec.id] = spec
        return spec

    @property
    def record(self) -> Path:
        return self.folder / "record"

    def calls(self):
        return witness.calls(self.record)

    def events(self):
        return witness._lines(self.record / "events.jsonl")


@pytest.fixture
def short_folder():
    folder = Path(tempfile.mkdtemp(prefix="pl-"))
    (folder / "data").mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def host(short_folder):
    made = HostForTests(short_folder)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def pool():
    made = UpstreamPool()
    yield made
    await made.close()
