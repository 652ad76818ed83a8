"""A real installation before the judges: all its processes, upstreams, robo's token, a reviewer.

The reviewer approves whatever waits for longer than it thinks, through the ledger's door, so that
calls which policy pauses come to an end without anybody pressing anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import close_old_connections

from approvals import api
from approvals.models import Ticket
from approvals.models.clock import database_now
from mcpbridge import approvals_gateway as ledger
from mcpbridge import offload
from mcpbridge.administration import issue_token
from mcpbridge.administration.upstreams import UpstreamSettings, create_upstream
from mcpbridge.models import Agent
from mcpbridge.offload import in_database
from tests.outside.relay import Relay
from tests.support.databases import RealDatabase
from tests.support.ledger import Cast, a_cast
from tests.support.live import LivePlacet
from tests.support.valkey import ValkeyServer

THINKING = 0.4  # seconds until the reviewer approves
LOOK = 0.1  # seconds between the reviewer's looks
type Rules = Sequence[dict[str, Any]]


@dataclass
class Installation:
    """What stands while a judge looks."""

    placet: LivePlacet
    relay: Relay
    cast: Cast
    agent: Agent
    secret: str

    def endpoint(self, upstream: str = "") -> str:
        """The address that a client without a token is given."""
        return self.relay.url + (f"/mcp/u/{upstream}" if upstream else "/mcp")

    async def another_agent(self, name: str, **settings: Any) -> str:
        """The token of one more agent of robo's team."""

        def make() -> str:
            agent = Agent.objects.create(
                name=name,
                team=self.cast.team,
                owner=self.cast.alice.person,
                **{"max_open_tickets": 100, **settings},
            )
            return issue_token(actor="system:test", agent=agent).secret

        return await in_database(make)


@asynccontextmanager
async def an_installation(
    database: RealDatabase,
    *,
    upstreams: dict[str, dict[str, Any]],
    rules: Rules,
    thinking: float | None = THINKING,
    stdio_host: bool = False,
    agent: dict[str, Any] | None = None,
    **variables: str,
) -> AsyncIterator[Installation]:
    """All processes over `database`, with these upstreams under these rules.

    `thinking`: seconds after which the reviewer approves; None when nobody reviews.
    """
    broker, relay = ValkeyServer(), Relay()
    folder = Path(tempfile.mkdtemp(prefix="placet-j-"))
    await relay.start()
    placet = LivePlacet(
        database=database,
        broker=broker,
        folder=folder,
        # Judges reach it through the relay, so that is the origin that it has.
        variables={"PLACET_PUBLIC_URL": relay.url, **variables},
    )
    reviewing: asyncio.Task[None] | None = None
    try:
        await asyncio.to_thread(broker.start)
        cast, robo, secret = await in_database(_furnish, upstreams, rules, agent or {})
        relay.serve(port=placet.port, secret=secret)
        await asyncio.to_thread(placet.start, stdio_host=stdio_host)
        if thinking is not None:
            reviewing = asyncio.create_task(_review(cast, thinking))
        yield Installation(placet, relay, cast, robo, secret)
    except BaseException:
        print(placet.logs(), file=sys.stderr)
        raise
    finally:
        if reviewing is not None:
            reviewing.cancel()
            await asyncio.wait({reviewing})
        await relay.stop()
        await asyncio.to_thread(placet.stop)
        offload.shutdown()
        await asyncio.to_thread(broker.remove)
        shutil.rmtree(folder, ignore_errors=True)


def _furnish(
    upstreams: dict[str, dict[str, Any]], rules: Rules, changes: dict[str, Any]
) -> tuple[Cast, Agent, str]:
    cast = a_cast()
    agent = Agent.objects.create(
        **{
            "id": cast.robo,
            "name": "robo",
            "team": cast.team,
            "owner": cast.alice.person,
            "max_open_tickets": 100,
            **changes,
        }
    )
    secret = issue_token(actor="system:test", agent=agent).secret
    for name, settings in upstreams.items():
        known = {
            "transport": "http",
            "allow_private_addresses": "url" in settings,
            "pin_on_first_contact": True,
            "team_ids": frozenset({cast.team.pk}),
        }
        create_upstream(
            actor="system:test", name=name, settings=UpstreamSettings(**{**known, **settings})
        )
    ledger.publish_policy(document={"rules": list(rules)})
    return cast, agent, secret


async def _review(cast: Cast, thinking: float) -> None:
    while True:
        await asyncio.sleep(LOOK)
        await in_database(_approve_waiting, cast, thinking)


def _approve_waiting(cast: Cast, thinking: float) -> None:
    close_old_connections()
    ripe = database_now() - timedelta(seconds=thinking)
    for ticket in Ticket.objects.filter(state="pending", created_at__lte=ripe):
        # It may have been withdrawn or approved since it was read.
        with contextlib.suppress(api.Refusal):
            api.decide(
                uid=ticket.uid,
                user=cast.bob,
                verdict=api.Answer.APPROVE,
                seen_digest=bytes(ticket.digest),
                reason="",
                nonce=secrets.token_hex(16),
            )
