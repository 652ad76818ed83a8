"""An allowed call through Placet against the same call to the upstream itself.

Rounds of both alternate; the figure is the median round. The load comes from this process, so on
a small machine it takes processor time from both roads alike.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass, field

import psutil

from tests.bench.figures import Row, percentile
from tests.bench.stage import Caller, a_child, a_stage, line_of, web_client
from tests.support.bridge import ALLOW_ECHO
from tests.support.databases import RealDatabase

IN_FLIGHT = (1, 16, 64)


@dataclass
class Road:
    """One of the two roads, and its rounds."""

    name: str
    caller: Caller
    process: psutil.Process | None
    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def main(database: RealDatabase, arguments: list[str]) -> list[Row]:
    """Rows for 1, 16 and 64 calls in flight."""
    rounds, seconds = (3, 0.7) if "quick" in arguments else (7, 2.0)
    with a_child("tests.bench.upstream") as upstream:
        address = line_of(upstream)
        with a_stage(database, upstream=address, rules=[ALLOW_ECHO], worker=False) as stage:
            assert stage.placet.web is not None
            web = psutil.Process(stage.placet.web.pid)
            return asyncio.run(
                _compare(address, stage.placet.url, stage.secret, web, rounds, seconds)
            )


async def _compare(
    direct: str, placet: str, secret: str, web: psutil.Process, rounds: int, seconds: float
) -> list[Row]:
    rows: list[Row] = []
    async with web_client() as http:
        for in_flight in IN_FLIGHT:
            roads = [
                Road("directly", Caller(http, direct, "echo"), None),
                Road(
                    "through Placet",
                    Caller(http, f"{placet}/mcp", "witness__echo", secret=secret),
                    web,
                ),
            ]
            for road in roads:
                await _round(road, in_flight, 0.5)
                road.rates.clear(), road.p50.clear(), road.p99.clear(), road.cpu.clear()
            for _ in range(rounds):
                for road in roads:
                    await _round(road, in_flight, seconds)
            base = statistics.median(roads[0].p50)
            rows += [_row(road, in_flight, base) for road in roads]
    return rows


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


def _row(road: Road, in_flight: int, base: float) -> Row:
    p50 = statistics.median(road.p50)
    return {
        "in flight": in_flight,
        "road": road.name,
        "calls/s": round(statistics.median(road.rates)),
        "p50 ms": round(p50 * 1000, 2),
        "p99 ms": round(statistics.median(road.p99) * 1000, 2),
        "added p50 ms": round((p50 - base) * 1000, 2),
        "web CPU ms/call": round(statistics.median(road.cpu) * 1000, 2),
    }
