"""Many reviewers' sockets open in one web process: how soon each hears of a ticket's change.

People of several teams, each with several sessions; another process opens and decides tickets of
those teams in turn. Each socket must hear of everything that its person may see and of nothing
else. The clock starts with the commit, in that other process. A single socket is measured first:
what is between the two is the price of the others.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import psutil
from django.conf import settings
from django.test import Client as Browser

from approvals.models import User
from mcpbridge.offload import in_database
from tests.bench.figures import Row, milliseconds
from tests.bench.stage import Stage, a_child, a_stage, line_of, web_client
from tests.support.bridge import ASK_NOTES
from tests.support.builders import Cast, a_cast
from tests.support.databases import RealDatabase
from tests.support.waiting import eventually_async

SOCKETS = 500
QUICK = 50
TEAMS = 5
PER_SECOND = 2.0
EVENTS = 60
IDLE_SECONDS = 20.0  # two looks at the sessions


def main(database: RealDatabase, arguments: list[str]) -> list[Row]:
    """A row for one socket and a row for many. Arguments: `quick`, or the number of sockets."""
    numbers = [int(argument) for argument in arguments if argument.isdigit()]
    sockets = numbers[0] if numbers else QUICK if "quick" in arguments else SOCKETS
    with a_stage(database, upstream="http://127.0.0.1:9/mcp", rules=[ASK_NOTES], worker=False) as s:
        casts = [a_cast(f"-{number}") for number in range(TEAMS)]
        seats = [_seat(casts, number) for number in range(sockets)]
        return [asyncio.run(_measure(s, casts, seats[:1])), asyncio.run(_measure(s, casts, seats))]


@dataclass
class Seat:
    """One session of somebody, and when it heard of what."""

    cookie: str
    team: str | None  # whose tickets the person sees; None: everybody's
    heard: dict[tuple[str, int], float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def may_hear(self, team: str) -> bool:
        """Whether a ticket of that team concerns them."""
        return self.team in (None, team)


def _seat(casts: Sequence[Cast], number: int) -> Seat:
    """Reviewers and owners of all teams in turn; each tenth is an admin, who sees everything."""
    cast = casts[number % len(casts)]
    everything = number % 10 == 9
    user: User = cast.dora if everything else (cast.bob, cast.carol, cast.alice)[number % 3]
    browser = Browser()
    browser.force_login(user)
    cookie = browser.cookies[settings.SESSION_COOKIE_NAME].value
    return Seat(cookie, None if everything else str(cast.team_id))


async def _measure(stage: Stage, casts: Sequence[Cast], seats: list[Seat]) -> Row:
    assert stage.placet.web is not None
    web = psutil.Process(stage.placet.web.pid)
    before = web.memory_info().rss
    for seat in seats:
        seat.heard.clear()
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(web_client())
        listening = []
        for seat in seats:
            socket = await stack.enter_async_context(_open(stage, http, seat))
            listening.append(asyncio.create_task(_listen(seat, socket)))
        rss = web.memory_info().rss - before
        used, began = _cpu(web), time.monotonic()
        await asyncio.sleep(IDLE_SECONDS)
        idle = (_cpu(web) - used) / (time.monotonic() - began)
        used = _cpu(web)
        events = await in_database(_ring, stage, casts)
        busy = _cpu(web) - used
        await eventually_async(lambda: all(not _missed(s, events) for s in seats), within=30)
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
    waits = _checked(seats, events)
    return {
        "sockets": len(seats),
        **milliseconds(waits),
        "max ms": round(max(waits) * 1000, 1),
        "idle CPU %": round(idle * 100, 1),
        "CPU ms/event": round(busy / len(events) * 1000, 1),
        "RSS KiB/socket": round(rss / len(seats) / 1024, 1) if len(seats) > 1 else "",
    }


def _open(stage: Stage, http: aiohttp.ClientSession, seat: Seat) -> Any:
    url = f"{stage.placet.url}/ws/doorbell/".replace("http://", "ws://")
    headers = {
        "Origin": stage.placet.url,
        "Cookie": f"{settings.SESSION_COOKIE_NAME}={seat.cookie}",
    }
    return http.ws_connect(url, headers=headers)


async def _listen(seat: Seat, socket: aiohttp.ClientWebSocketResponse) -> None:
    async for message in socket:
        now = time.time()
        said = json.loads(message.data)
        if "ticket" in said:
            seat.heard.setdefault((said["ticket"], said["version"]), now)
        elif "gate" not in said:
            seat.wrong.append(message.data)


def _ring(stage: Stage, casts: Sequence[Cast]) -> list[dict[str, Any]]:
    """Have everything rung in another process; what was rung, and when it was committed."""
    teams = [
        {
            "team": str(cast.team_id),
            "agent": str(cast.robo),
            "owner": str(cast.alice.person_id),
            "reviewer": str(cast.bob.pk),
        }
        for cast in casts
    ]
    with a_child("tests.bench.ringer", env=stage.placet.env) as ringer:
        assert line_of(ringer) == "ready"
        assert ringer.stdin is not None
        asked = {"teams": teams, "events": EVENTS, "per_second": PER_SECOND}
        ringer.stdin.write(json.dumps(asked) + "\n")
        ringer.stdin.flush()
        rung = [json.loads(line_of(ringer)) for _ in range(EVENTS)]
        ringer.wait(10)  # its last doorbell is rung after the line that tells of it
    return rung


def _arrival(seat: Seat, event: dict[str, Any]) -> float | None:
    """When the seat heard of the event. A decision is several versions of its ticket."""
    heard = [
        at
        for (uid, version), at in seat.heard.items()
        if uid == event["uid"] and version >= event["version"]
    ]
    return min(heard, default=None)


def _missed(seat: Seat, events: Sequence[dict[str, Any]]) -> bool:
    return any(seat.may_hear(e["team"]) and _arrival(seat, e) is None for e in events)


def _checked(seats: Sequence[Seat], events: Sequence[dict[str, Any]]) -> list[float]:
    """Seconds from each commit to each arrival; raises when somebody heard of others' tickets."""
    waits: list[float] = []
    for seat in seats:
        theirs = [event for event in events if seat.may_hear(event["team"])]
        foreign = {uid for uid, _ in seat.heard} - {event["uid"] for event in theirs}
        if seat.wrong or foreign:
            raise RuntimeError(
                f"somebody of team {seat.team} heard of {len(foreign)} tickets that are not"
                f" theirs {seat.wrong[:3]}"
            )
        found = [(_arrival(seat, event), event["committed"]) for event in theirs]
        waits += [at - committed for at, committed in found if at is not None]
    return waits


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)
