"""An allowed call through Placet, against the upstream itself and other ways to reach it.

Rounds of all roads alternate; the figure is the median round. The load comes from this process, so
on a small machine it takes processor time from all roads alike. `BENCH_FASTMCP` names a Python
that has fastmcp; without it, its two proxies are left out.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.bench.figures import Row, percentile
from tests.bench.stage import Caller, a_child, a_stage, line_of, web_client
from tests.support.bridge import ALLOW_ECHO
from tests.support.databases import RealDatabase
from tests.support.ports import listening_socket
from tests.support.processes import ROOT
from tests.support.waiting import eventually_async

IN_FLIGHT = (1, 16, 64)


@dataclass(frozen=True)
class Target:
    """Where the calls of one road go, and whose processor time they cost."""

    name: str
    url: str
    tool: str
    process: psutil.Process | None
    secret: str = ""


@dataclass
class Road:
    """One of the roads, and its rounds."""

    name: str
    caller: Caller
    process: psutil.Process | None
    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def forget(self) -> None:
        """What was measured so far was a warm-up."""
        for figures in (self.rates, self.p50, self.p99, self.cpu):
            figures.clear()


def main(database: RealDatabase, arguments: list[str]) -> list[Row]:
    """Rows for 1, 16 and 64 calls in flight."""
    rounds, seconds = (3, 0.6) if "quick" in arguments else (7, 2.0)
    with ExitStack() as running:
        upstream = running.enter_context(a_child("tests.bench.upstream"))
        address = line_of(upstream)
        stage = running.enter_context(
            a_stage(database, upstream=address, rules=[ALLOW_ECHO], worker=False)
        )
        assert stage.placet.web is not None
        web = psutil.Process(stage.placet.web.pid)
        targets = [
            Target("directly", address, "echo", None),
            Target("through Placet", f"{stage.placet.url}/mcp", "witness__echo", web, stage.secret),
            running.enter_context(_relay(address)),
        ]
        fastmcp = os.environ.get("BENCH_FASTMCP", "")
        ways = ("connected", "default") if fastmcp else ()
        targets += [running.enter_context(_fastmcp(fastmcp, address, way)) for way in ways]
        return asyncio.run(_compare(targets, rounds, seconds))


@contextmanager
def _relay(upstream: str) -> Iterator[Target]:
    sock = listening_socket()
    sock.set_inheritable(True)
    argv = [sys.executable, "-m", "daphne", "--fd", str(sock.fileno()), "--verbosity", "0"]
    process = subprocess.Popen(
        [*argv, "tests.bench.relay:application"],
        cwd=ROOT,
        env={**os.environ, "RELAY_UPSTREAM": upstream},
        pass_fds=(sock.fileno(),),
    )
    try:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/mcp"
        yield Target("through a plain relay", url, "echo", psutil.Process(process.pid))
    finally:
        _end(process)
        sock.close()


@contextmanager
def _fastmcp(python: str, upstream: str, way: str) -> Iterator[Target]:
    with listening_socket() as sock:
        port = str(sock.getsockname()[1])
    script = str(Path(__file__).with_name("fastmcp_proxy.py"))
    process = subprocess.Popen([python, script, port, upstream, way], stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/mcp"
        yield Target(f"through fastmcp, {way}", url, "echo", psutil.Process(process.pid))
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(10)


async def _compare(targets: list[Target], rounds: int, seconds: float) -> list[Row]:
    rows: list[Row] = []
    async with web_client() as http:
        roads = [
            Road(target.name, Caller(http, target.url, target.tool, secret=target.secret), process)
            for target in targets
            for process in [target.process]
        ]
        for road in roads:
            await eventually_async(lambda road=road: _answers(road), within=120)
        for in_flight in IN_FLIGHT:
            for road in roads:
                await _round(road, in_flight, 0.5)
                road.forget()
            for _ in range(rounds):
                for road in roads:
                    await _round(road, in_flight, seconds)
            base = statistics.median(roads[0].p50)
            [placet] = [road for road in roads if road.name == "through Placet"]
            ours = statistics.median(placet.rates)
            rows += [_row(road, in_flight, base, ours) for road in roads]
    return rows


async def _answers(road: Road) -> bool:
    try:
        await road.caller.call({"text": "hello"}, expect=b"hello")
    except (OSError, RuntimeError):
        return False
    return True


async def _round(road: Road, in_flight: int, seconds: float) -> None:
    took: list[float] = []
    until = time.perf_counter() + seconds
    before = _cpu(road.process)

    async def one_after_the_other() -> None:
        while (now := time.perf_counter()) < until:
            await road.caller.call({"text": "hello"}, expect=b"hello")
            took.append(time.perf_counter() - now)

    began = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(in_flight)))
    road.rates.append(len(took) / (time.perf_counter() - began))
    road.p50.append(percentile(took, 0.5))
    road.p99.append(percentile(took, 0.99))
    road.cpu.append((_cpu(road.process) - before) / len(took))


def _cpu(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    used = process.cpu_times()
    return float(used.user + used.system)


def _row(road: Road, in_flight: int, base: float, ours: float) -> Row:
    p50, rate = statistics.median(road.p50), statistics.median(road.rates)
    return {
        "in flight": in_flight,
        "road": road.name,
        "calls/s": round(rate),
        "Placet is": f"{ours / rate:.2f} x",
        "p50 ms": round(p50 * 1000, 2),
        "p99 ms": round(statistics.median(road.p99) * 1000, 2),
        "added p50 ms": round((p50 - base) * 1000, 2),
        "CPU ms/call": round(statistics.median(road.cpu) * 1000, 2),
    }
