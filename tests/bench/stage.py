"""The installation of a bench: real processes, rows, and a client that costs little itself."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from mcpbridge import offload
from mcpbridge.administration import issue_token
from mcpbridge.models import Agent
from tests.support.bridge import Bridge, a_bridge
from tests.support.databases import RealDatabase
from tests.support.face import MODERN, modern_body
from tests.support.live import LivePlacet
from tests.support.processes import ROOT
from tests.support.valkey import ValkeyServer


@dataclass
class Stage:
    """What stands while a bench runs."""

    placet: LivePlacet
    bridge: Bridge
    secret: str
    folder: Path


@contextmanager
def a_stage(
    database: RealDatabase,
    *,
    upstream: str,
    rules: Sequence[dict[str, Any]],
    worker: bool,
    open_tickets: int = 100,
    **variables: str,
) -> Iterator[Stage]:
    """A web process, a broker, perhaps a worker, and robo's rows."""
    broker = ValkeyServer()
    folder = Path(tempfile.mkdtemp(prefix="placet-b-"))
    placet = LivePlacet(database=database, broker=broker, folder=folder, variables=variables)
    try:
        broker.start()
        bridge = a_bridge(upstream, rules=tuple(rules))
        Agent.objects.filter(pk=bridge.agent.pk).update(
            hold_seconds=3600, max_open_tickets=open_tickets
        )
        secret = issue_token(actor="system:bench", agent=bridge.agent).secret
        placet.start(worker=worker)
        yield Stage(placet, bridge, secret, folder)
    finally:
        placet.stop()
        offload.shutdown()
        broker.remove()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def a_child(module: str, *, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A module as a process with pipes, after its first line is there in `.first`."""
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args} ended early")
    return line.strip()


class Caller:
    """Calls one tool at one address, in the modern era, over kept connections."""

    def __init__(
        self, http: aiohttp.ClientSession, url: str, tool: str, *, secret: str = ""
    ) -> None:
        self._http = http
        self._url = url
        self._tool = tool
        self._headers = {
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-protocol-version": MODERN,
            "mcp-method": "tools/call",
            "mcp-name": tool,
            **({"authorization": f"Bearer {secret}"} if secret else {}),
        }
        self._number = 0

    def request(self, arguments: dict[str, Any]) -> Any:
        """The request as a context manager of aiohttp's."""
        self._number += 1
        params = {"name": self._tool, "arguments": arguments}
        body = modern_body("tools/call", params, request_id=self._number)
        return self._http.post(self._url, data=json.dumps(body), headers=self._headers)

    async def call(self, arguments: dict[str, Any], *, expect: bytes = b"") -> bytes:
        """The whole answer; it must hold `expect`."""
        async with self.request(arguments) as response:
            answer: bytes = await response.read()
        if response.status != 200 or expect not in answer:
            raise RuntimeError(f"{self._url} answered {response.status}: {answer[:500]!r}")
        return answer


@asynccontextmanager
async def web_client() -> AsyncIterator[aiohttp.ClientSession]:
    """A client without limits of its own."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield http
    await asyncio.sleep(0)
