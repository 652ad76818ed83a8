"""Made-up tokens cost little and lock nobody out."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
from typing import Any

import pytest
from django.db import DatabaseError

from mcpbridge.administration import AgentSettings, change_agent, issue_token
from mcpbridge.models import AgentToken
from mcpbridge.offload import in_database
from mcpbridge.server.auth import Authenticator, Verified
from mcpbridge.server.tokens import TokenLookups
from mcpbridge.server.wire import Refused
from tests.support.bridge import Bridge
from tests.support.face import ServedFace
from tests.support.waiting import eventually_async


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def made_up() -> bytes:
    return digest_of(secrets.token_hex(16))


class Counting(Authenticator):
    """Counts its reads; they begin when they are let."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[int] = []
        self.at_once = self.most_at_once = 0
        self.gate = threading.Event()
        self.gate.set()
        self.broken: Exception | None = None

    def read(self, digests: Any) -> Any:
        self.reads.append(len(digests))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            assert self.gate.wait(10)
            if self.broken is not None:
                raise self.broken
            return super().read(digests)
        finally:
            self.at_once -= 1


async def status_of(lookups: TokenLookups, digest: bytes) -> int:
    try:
        await lookups.principal(digest=digest, endpoint="/mcp")
    except Refused as refused:
        return refused.status
    return 200


@pytest.fixture
def authenticator(bridge: Bridge) -> Counting:
    return Counting()


async def test_a_flood_of_made_up_tokens_is_a_few_queries_one_at_a_time_and_locks_nobody_out(
    authenticator: Counting, secret: str, loop_parts: None
) -> None:
    lookups = TokenLookups(authenticator)
    authenticator.gate.clear()
    first = asyncio.create_task(status_of(lookups, made_up()))
    await eventually_async(lambda: len(authenticator.reads) == 1)
    flood = [asyncio.create_task(status_of(lookups, made_up())) for _ in range(1200)]
    ours = asyncio.create_task(status_of(lookups, digest_of(secret)))
    await asyncio.sleep(0)
    authenticator.gate.set()
    assert await ours == 200
    assert {await first, *await asyncio.gather(*flood)} == {401}
    assert authenticator.most_at_once == 1
    assert authenticator.reads == [1, 500, 500, 201]


async def test_those_who_show_the_same_token_share_its_look_up(
    authenticator: Counting, secret: str, loop_parts: None
) -> None:
    lookups = TokenLookups(authenticator)
    found = await asyncio.gather(*(status_of(lookups, digest_of(secret)) for _ in range(50)))
    assert set(found) == {200}
    assert authenticator.reads == [1]


async def test_a_made_up_token_is_looked_up_once_in_an_epoch(
    face: ServedFace, bridge: Bridge, secret: str
) -> None:
    authenticator = face.face.lookups._authenticator = Counting()
    face.face.authenticator = authenticator
    nobodys, face.secret = "placet_" + "x" * 43, secret
    assert (await face.modern("tools/list")).status_code == 200
    face.secret = nobodys
    for _ in range(3):
        answer = await face.modern("tools/list")
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert authenticator.reads == [1, 1]
    settings = AgentSettings(
        owner_id=bridge.agent.owner_id, team_id=bridge.agent.team_id, grace_seconds=77
    )
    await in_database(
        change_agent, actor="system:test", agent_id=bridge.agent.pk, settings=settings
    )
    assert (await face.modern("tools/list")).status_code == 401
    assert authenticator.reads == [1, 1, 1]


async def test_an_agent_that_is_enabled_again_is_let_in_at_once(
    face: ServedFace, bridge: Bridge, secret: str
) -> None:
    face.secret = secret
    for enabled, status in ((False, 401), (True, 200), (False, 401)):
        settings = AgentSettings(
            owner_id=bridge.agent.owner_id, team_id=bridge.agent.team_id, enabled=enabled
        )
        await in_database(
            change_agent, actor="system:test", agent_id=bridge.agent.pk, settings=settings
        )
        assert (await face.modern("tools/list")).status_code == status


async def test_a_token_issued_a_moment_ago_is_let_in(
    face: ServedFace, bridge: Bridge, secret: str
) -> None:
    face.secret = "placet_" + "y" * 43
    assert (await face.modern("tools/list")).status_code == 401
    issued = await in_database(issue_token, actor="system:test", agent=bridge.agent)
    face.secret = issued.secret
    assert (await face.modern("tools/list")).status_code == 200


def test_made_up_tokens_push_no_live_one_out_of_memory(
    authenticator: Counting, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcpbridge.server.auth._REMEMBERED", 10)
    ours = digest_of(secret)
    assert isinstance(authenticator.read([ours])[ours], Verified)
    for _ in range(5):
        authenticator.read([made_up() for _ in range(10)])
    assert ours in authenticator._known
    assert len(authenticator._not_live) == 10


async def test_without_the_database_everybody_who_asked_hears_of_it_and_the_next_asks_again(
    authenticator: Counting, secret: str, loop_parts: None
) -> None:
    lookups = TokenLookups(authenticator)
    authenticator.broken = DatabaseError("away")
    asked = [lookups.principal(digest=made_up(), endpoint="/mcp") for _ in range(5)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(problem, DatabaseError) for problem in found)
    authenticator.broken = None
    assert await status_of(lookups, digest_of(secret)) == 200


async def test_one_who_leaves_takes_nobody_else_along(
    authenticator: Counting, secret: str, loop_parts: None
) -> None:
    lookups = TokenLookups(authenticator)
    authenticator.gate.clear()
    held = asyncio.create_task(status_of(lookups, made_up()))
    await eventually_async(lambda: len(authenticator.reads) == 1)
    leaving, staying = (
        asyncio.create_task(status_of(lookups, digest_of(secret))) for _ in range(2)
    )
    await asyncio.sleep(0)
    leaving.cancel()
    authenticator.gate.set()
    assert (await held, await staying) == (401, 200)


async def test_the_use_of_a_live_token_is_noted_and_of_none_other(
    authenticator: Counting, secret: str, loop_parts: None
) -> None:
    lookups = TokenLookups(authenticator)

    def noted() -> int:
        return AgentToken.objects.exclude(last_used_at=None).count()

    assert await status_of(lookups, made_up()) == 401
    assert await in_database(noted) == 0
    assert await status_of(lookups, digest_of(secret)) == 200
    assert await in_database(noted) == 1
