"""Many calls paused at once in one web process: their memory, and what everybody else notices.

Several agents make the calls, since each may hold half of the room only. The first half arrives
with nobody looking on, so that its memory is that of calls alone. Another agent makes allowed calls
and a reviewer opens the inbox: before, while the second half arrives, and while all wait.
"""

from __future__ import annotations

import asyncio
import resource
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import psutil
from django.test import Client as Browser

from approvals.models import Ticket
from mcpbridge.administration import issue_token
from mcpbridge.models import Agent
from mcpbridge.offload import in_database
from tests.bench.figures import Row, milliseconds
from tests.bench.stage import Caller, Stage, a_child, a_stage, line_of, web_client
from tests.support.bridge import ALLOW_ECHO, ASK_NOTES
from tests.support.databases import RealDatabase
from tests.support.waiting import eventually_async

CALLS = 5000
QUICK = 500
AGENTS = 10
FIRST = 50  # what a process allocates once is not a call's cost
AT_ONCE = 50
SECONDS = 5.0  # of looking on while all wait


def main(database: RealDatabase, arguments: list[str]) -> list[Row]:
    """One row for each time of it. Arguments: `quick`, or the number of calls."""
    numbers = [int(argument) for argument in arguments if argument.isdigit()]
    calls = numbers[0] if numbers else QUICK if "quick" in arguments else CALLS
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * calls + 2000
    if most < wanted:
        raise SystemExit(f"{calls} calls need {wanted} open files; the limit here is {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, 4096), most))
    with a_child("tests.bench.upstream") as upstream:
        address = line_of(upstream)
        rules = [ALLOW_ECHO, ASK_NOTES]
        with a_stage(database, upstream=address, rules=rules, worker=False) as stage:
            secrets_ = [_another_agent(stage, number, calls) for number in range(AGENTS)]
            browser = Browser()
            browser.force_login(stage.bridge.cast.bob)
            cookies = {name: morsel.value for name, morsel in browser.cookies.items()}
            return asyncio.run(_measure(stage, secrets_, cookies, calls))


def _another_agent(stage: Stage, number: int, calls: int) -> str:
    bridge = stage.bridge
    agent = Agent.objects.create(
        name=f"robo-{number}",
        team=bridge.agent.team,
        owner=bridge.agent.owner,
        hold_seconds=3600,
        max_open_tickets=calls,
    )
    return issue_token(actor="system:bench", agent=agent).secret


@dataclass
class Onlookers:
    """Another agent and a reviewer, each doing one thing after the other."""

    allowed: Caller
    http: aiohttp.ClientSession
    inbox: str
    cookies: dict[str, str]
    calls: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)

    async def look_on(self, until: asyncio.Event) -> None:
        """Go on until told to stop."""
        await asyncio.gather(self._call(until), self._read(until))

    async def _call(self, until: asyncio.Event) -> None:
        while not until.is_set():
            began = time.perf_counter()
            await self.allowed.call({"text": "hello"}, expect=b"hello")
            self.calls.append(time.perf_counter() - began)
            await asyncio.sleep(0.01)

    async def _read(self, until: asyncio.Event) -> None:
        while not until.is_set():
            began = time.perf_counter()
            async with self.http.get(self.inbox, cookies=self.cookies) as page:
                text = await page.text()
            if page.status != 200 or "write_note" not in text:
                raise RuntimeError(f"the inbox was answered with {page.status}")
            self.pages.append(time.perf_counter() - began)
            await asyncio.sleep(0.05)

    def row(self, phase: str, waiting: int, **more: Any) -> Row:
        """What they noticed; their notes begin anew."""
        calls, pages = milliseconds(self.calls), milliseconds(self.pages)
        self.calls, self.pages = [], []
        return {
            "time": phase,
            "waiting": waiting,
            "allowed p50": calls["p50 ms"],
            "allowed p99 ms": calls["p99 ms"],
            "inbox p50": pages["p50 ms"],
            "inbox p99 ms": pages["p99 ms"],
            "paused/s": "",
            "CPU ms/paused": "",
            "RSS KiB/call": "",
            "RSS MiB": "",
            "idle CPU %": "",
            **more,
        }


async def _measure(
    stage: Stage, agents: list[str], cookies: dict[str, str], wanted: int
) -> list[Row]:
    assert stage.placet.web is not None
    web = psutil.Process(stage.placet.web.pid)
    url = f"{stage.placet.url}/mcp"
    calls: list[asyncio.Task[bytes]] = []
    looking = SECONDS if wanted >= QUICK else 0.5
    first = min(FIRST, wanted)
    async with web_client() as http, web_client() as onlookers_http:
        callers = [Caller(http, url, "witness__write_note", secret=secret) for secret in agents]
        onlookers = Onlookers(
            Caller(onlookers_http, url, "witness__echo", secret=stage.secret),
            onlookers_http,
            f"{stage.placet.url}/",
            {"sessionid": cookies["sessionid"]} if "sessionid" in cookies else cookies,
        )

        async def until_held(number: int) -> None:
            while len(calls) < number:
                for _ in range(min(AT_ONCE, number - len(calls))):
                    caller = callers[len(calls) % len(callers)]
                    work = caller.call({"note": secrets.token_hex(8)})
                    calls.append(asyncio.create_task(work))
                await eventually_async(lambda: in_database(_open, len(calls)), within=120)
                early = [call for call in calls if call.done()]
                if early:
                    raise RuntimeError(f"not held: {early[0].result()!r}")

        async def watched(work: Any) -> None:
            over = asyncio.Event()
            looking = asyncio.create_task(onlookers.look_on(over))
            try:
                await work
            finally:
                over.set()
                await looking

        def rss() -> int:
            return int(web.memory_info().rss)

        try:
            await until_held(first)
            await watched(asyncio.sleep(looking / 5))
            onlookers.row("warm-up", first)
            await watched(asyncio.sleep(looking / 2))
            rows = [onlookers.row("before", first)]
            base, began, used = rss(), time.monotonic(), _cpu(web)
            await until_held(first + wanted // 2)
            rows[0] |= {
                "paused/s": round(wanted // 2 / (time.monotonic() - began)),
                "CPU ms/paused": round((_cpu(web) - used) / (wanted // 2) * 1000, 1),
                "RSS KiB/call": round((rss() - base) / (wanted // 2) / 1024, 1),
            }
            began = time.monotonic()
            await watched(until_held(first + wanted))
            rate = (wanted - wanted // 2) / (time.monotonic() - began)
            rows.append(onlookers.row("arriving", first + wanted, **{"paused/s": round(rate)}))
            await watched(asyncio.sleep(looking))
            row = onlookers.row("waiting", first + wanted)
            used = _cpu(web)
            await asyncio.sleep(looking)  # nobody but those who wait
            row["idle CPU %"] = round((_cpu(web) - used) / looking * 100, 1)
            row["RSS MiB"] = round(rss() / 1024 / 1024)
            return [*rows, row]
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _open(wanted: int) -> bool:
    return Ticket.objects.filter(ended_at__isnull=True).count() >= wanted
