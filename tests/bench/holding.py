"""What paused calls cost one web process: memory and file descriptors, at 1,000 of them."""

from __future__ import annotations

import asyncio
import resource
import secrets
import time

import psutil

from approvals.models import Ticket
from mcpbridge.offload import in_database
from tests.bench.figures import Row
from tests.bench.stage import Caller, Stage, a_child, a_stage, line_of, web_client
from tests.support.bridge import ASK_NOTES
from tests.support.databases import RealDatabase
from tests.support.waiting import eventually_async

AT_ONCE = 50


def main(database: RealDatabase, arguments: list[str]) -> list[Row]:
    """One row."""
    held = 100 if "quick" in arguments else 1000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 16_384), most))
    with a_child("tests.bench.upstream") as upstream:
        address = line_of(upstream)
        with a_stage(
            database, upstream=address, rules=[ASK_NOTES], worker=False, open_tickets=held + 200
        ) as stage:
            return asyncio.run(_hold(stage, held))


async def _hold(stage: Stage, held: int) -> list[Row]:
    assert stage.placet.web is not None
    web = psutil.Process(stage.placet.web.pid)
    calls: list[asyncio.Task[bytes]] = []
    async with web_client() as http:
        caller = Caller(http, f"{stage.placet.url}/mcp", "witness__write_note", secret=stage.secret)

        async def until_held(wanted: int) -> None:
            while len(calls) < wanted:
                more = min(AT_ONCE, wanted - len(calls))
                calls.extend(
                    asyncio.create_task(caller.call({"note": secrets.token_hex(8)}))
                    for _ in range(more)
                )
                await eventually_async(lambda: in_database(_open, len(calls)), within=120)
                early = [call for call in calls if call.done()]
                assert not early, f"not held: {early[0].result()!r}"

        try:
            await until_held(100)  # what a process allocates once is not a call's cost
            base, files, threads = web.memory_info().rss, web.num_fds(), web.num_threads()
            began = time.monotonic()
            await until_held(100 + held)
            took = time.monotonic() - began
            used = web.cpu_times()
            await asyncio.sleep(5)  # the cost of waiting itself
            later = web.cpu_times()
            return [
                {
                    "paused": held,
                    "RSS KiB/call": round((web.memory_info().rss - base) / held / 1024, 1),
                    "descriptors/call": round((web.num_fds() - files) / held, 2),
                    "more threads": web.num_threads() - threads,
                    "paused/s": round(held / took),
                    "idle CPU %": round(
                        (later.user + later.system - used.user - used.system) / 5 * 100, 1
                    ),
                }
            ]
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)


def _open(wanted: int) -> bool:
    return Ticket.objects.filter(state="pending").count() >= wanted
