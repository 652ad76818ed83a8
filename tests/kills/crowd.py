"""The people, programs and rows of a kill: agents that wait, a reviewer, the witness's count."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.test import Client as Browser
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from approvals import api
from approvals.audit.sealing import unseal
from approvals.models import AuditEvent, Ticket, User
from mcpbridge.administration import issue_token
from mcpbridge.models import Agent
from mcpbridge.offload import in_database
from placet.models import Heartbeat
from tests.support.bridge import ASK_NOTES, Bridge, a_bridge
from tests.support.pages import text_of
from tests.support.plain_http import http_client
from tests.support.waiting import eventually_async
from tests.support.witness import Witness

TOOL = "witness__write_note"
PATIENT = {"connect": 90.0, "first_byte": 90.0, "total": 120.0}


@dataclass
class Paused:
    """Calls that wait for approval, each with the agent's own request still open."""

    answers: dict[str, asyncio.Task[Any]]
    tickets: dict[str, UUID] = field(default_factory=dict)

    @property
    def uids(self) -> list[UUID]:
        return list(self.tickets.values())


def a_crowd(url: str) -> tuple[Bridge, str]:
    """robo with room for many open calls that it holds for long; and its token."""
    bridge = a_bridge(url, rules=(ASK_NOTES,), timeouts=PATIENT)
    Agent.objects.filter(pk=bridge.agent.pk).update(hold_seconds=600, max_open_tickets=100)
    return bridge, issue_token(actor="system:test", agent=bridge.agent).secret


@asynccontextmanager
async def official_clients(origin: str, secret: str) -> AsyncIterator[list[Client]]:
    """One client of each protocol era. What a test says inside is raised as it is."""
    failure: Exception | None = None
    async with AsyncExitStack() as stack:
        clients = []
        for mode in ("auto", "legacy"):
            http = await stack.enter_async_context(
                http_client(headers={"authorization": f"Bearer {secret}"}, timeout=300)
            )
            transport = streamable_http_client(f"{origin}/mcp", http_client=http)
            clients.append(await stack.enter_async_context(Client(transport, mode=mode)))
        try:
            yield clients
        except Exception as error:  # noqa: BLE001 (the clients' task groups would wrap it)
            failure = error
    if failure is not None:
        raise failure


async def open_tickets(clients: Sequence[Client], count: int) -> Paused:
    """`count` calls of both eras, each paused under a ticket of its own."""
    notes = [secrets.token_hex(8) for _ in range(count)]
    paused = Paused(
        {
            note: asyncio.create_task(
                clients[number % len(clients)].call_tool(TOOL, {"note": note})
            )
            for number, note in enumerate(notes)
        }
    )

    async def all_paused() -> bool:
        early = [task for task in paused.answers.values() if task.done()]
        assert not early, f"answered before anybody decided: {early[0].result()}"
        paused.tickets = await in_database(_pending, set(notes))
        return len(paused.tickets) == count

    await eventually_async(all_paused, within=60, why=f"{count} paused calls")
    return paused


def _pending(notes: set[str]) -> dict[str, UUID]:
    found = {}
    for ticket in Ticket.objects.filter(state=api.State.PENDING).select_related("arguments"):
        written = unseal(ticket.arguments).decode()
        found |= {note: ticket.uid for note in notes if note in written}
    return found


def approve(uids: Sequence[UUID], reviewer: User) -> None:
    """Approve each by the service that the page calls."""
    for uid in uids:
        api.decide(
            uid=uid,
            user=reviewer,
            verdict=api.Answer.APPROVE,
            seen_digest=bytes(Ticket.objects.get(uid=uid).digest),
            reason="",
            nonce=secrets.token_hex(16),
        )


def states(uids: Sequence[UUID]) -> Counter[str]:
    """How many of these tickets are in which state."""
    return Counter(Ticket.objects.filter(uid__in=uids).values_list("state", flat=True))


def unfinished() -> int:
    """How many tickets have no outcome."""
    return Ticket.objects.filter(ended_at=None).count()


def sends(uids: Sequence[UUID]) -> dict[UUID, int]:
    """How many sends are on record for each ticket."""
    names = {f"ticket:{uid}": uid for uid in uids}
    counted = Counter(
        AuditEvent.objects.filter(subject__in=names, action="sent").values_list(
            "subject", flat=True
        )
    )
    return {uid: counted[name] for name, uid in names.items()}


def beats(pid: int) -> bool:
    """Whether the worker of this process id has shown a sign of life."""
    return Heartbeat.objects.filter(kind="worker", name__endswith=f":{pid}").exists()


def counted(witness: Witness) -> Counter[str]:
    """How often the witness received each note."""
    return Counter(str(call["arguments"].get("note")) for call in witness.calls())


def pages_of(uids: Sequence[UUID], reviewer: User) -> list[str]:
    """What the reviewer reads on the tickets' pages."""
    browser = Browser()
    browser.force_login(reviewer)
    answers = [browser.get(f"/tickets/{uid}/") for uid in uids]
    assert {answer.status_code for answer in answers} == {200}, "a ticket page was not served"
    return [text_of(answer.content) for answer in answers]
