"""A whole installation for journeys: its processes, the witness upstream, robo, and people.

The tests reach it as its users do: agents with the official client, people by the pages. Rows are
read only to see what is true, never to make it so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

import httpx2
from django.contrib.auth.hashers import make_password
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from approvals.audit.sealing import unseal
from approvals.models import Ticket, User
from approvals.services.people import ensure_person
from mcpbridge.administration import issue_token
from mcpbridge.offload import in_database
from tests.support import witness as witnesses
from tests.support.bridge import RULES, Bridge, a_bridge
from tests.support.live import LivePlacet
from tests.support.plain_http import http_client
from tests.support.reviewer import Reviewer, signed_in
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness import Witness

NOTE = "witness__write_note"
PASSWORD = "a-long-password-for-tests"


@cache
def _hashed(password: str) -> str:
    """As the installation stores it, at a third of a second of a core."""
    return make_password(password)


@dataclass
class House:
    """One installation and everybody around it."""

    placet: LivePlacet
    rules: tuple[dict[str, Any], ...] = RULES
    bridge: Bridge = field(init=False)
    witness: Witness = field(init=False)
    secret: str = field(init=False)

    def __post_init__(self) -> None:
        self.witness = witnesses.start(self.placet.folder / "witness")

    async def furnish(self, **agent: Any) -> None:
        """Write the rows; `agent` changes robo's settings, such as `hold_seconds`."""
        await in_database(self._furnish, **agent)

    def _furnish(self, **agent: Any) -> None:
        self.bridge = a_bridge(self.witness.url, rules=self.rules)
        for name, value in agent.items():
            setattr(self.bridge.agent, name, value)
        self.bridge.agent.save()
        self.secret = issue_token(actor="system:test", agent=self.bridge.agent).secret
        ensure_person(email="dora@example.test", name="dora", password=None, is_admin=True)
        User.objects.update(password=_hashed(PASSWORD))

    def restart_witness(self, *, revised: bool) -> None:
        """The upstream goes away and comes back at its address, perhaps with other words."""
        port = httpx2.URL(self.witness.url).port
        assert port is not None
        self.witness.stop()
        self.witness = witnesses.start(self.witness.folder, port=port, revised=revised)

    def notes(self) -> list[str]:
        """The notes that reached the upstream, in the order of their coming."""
        return [c["arguments"]["note"] for c in self.witness.calls() if c["tool"] == "write_note"]

    def person(self, name: str) -> AbstractAsyncContextManager[Reviewer]:
        """Somebody, signed in at the first web process."""
        return signed_in(self.placet.url, email=f"{name}@example.test", password=PASSWORD)

    @asynccontextmanager
    async def agent(self, era: str, *, url: str = "") -> AsyncIterator[Client]:
        """robo with the official client of that era, at the first web process or at `url`."""
        mode = "legacy" if era == "legacy" else "auto"
        headers = {"authorization": f"Bearer {self.secret}"}
        async with http_client(headers=headers, timeout=120) as http:
            transport = streamable_http_client(f"{url or self.placet.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client

    async def ticket(self, *, note: str, calling: asyncio.Task[Any] | None = None) -> Ticket:
        """The latest ticket of the call that wants to write this note, as soon as there is one.

        Fails at once when `calling` was answered instead of paused.
        """

        def look() -> Ticket | None:
            if calling is not None and calling.done():
                raise AssertionError(f"{note!r} was not paused: {calling.result()}")
            wanted = {"note": note}
            for ticket in Ticket.objects.select_related("arguments").order_by("-id"):
                if json.loads(unseal(ticket.arguments)) == wanted:
                    return ticket
            return None

        found = await eventually_async(
            lambda: in_database(look), why=f"a ticket of the note {note!r}"
        )
        assert isinstance(found, Ticket)
        return found

    async def reaches(self, uid: UUID, state: str, *, within: float = PATIENCE) -> Ticket:
        """The ticket, once it is in that state."""
        seen: list[Ticket] = []

        async def look() -> bool:
            seen.append(await in_database(Ticket.objects.get, uid=uid))
            return seen[-1].state == state

        await eventually_async(look, within=within, why=f"the ticket is {state}")
        return seen[-1]

    async def counts(self, uid: UUID, *, requests: int) -> None:
        """Wait until so many requests are attached to the ticket."""

        async def look() -> bool:
            return (await in_database(Ticket.objects.get, uid=uid)).requests == requests

        await eventually_async(look, why=f"{requests} requests")


def text_of(result: Any) -> str:
    """What an answer says to a model."""
    return "\n".join(part.text for part in result.content)


async def told(calling: asyncio.Task[Any], *, within: float = PATIENCE) -> str:
    """What the waiting call returns within so many seconds, as text."""
    return text_of(await asyncio.wait_for(asyncio.shield(calling), within))
