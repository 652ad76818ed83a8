"""Reading tool lists from the witness, and what an agent sees of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from secrets import token_hex

import pytest
from django.db import transaction
from uuid6 import uuid7

from approvals import api
from approvals.models import Ticket
from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import CancelReason, State, Waiting
from mcpbridge.catalog import catalog as catalog_module
from mcpbridge.catalog import listing, snapshot
from mcpbridge.catalog.catalog import Catalog, CatalogUnreadable, catalog, refresh_upstream
from mcpbridge.catalog.listing import resolve, tools_for
from mcpbridge.models import ToolPin, Upstream
from mcpbridge.offload import in_database
from mcpbridge.pep import Paused, enforce
from tests.support.bridge import Bridge, a_call
from tests.support.witness import Witness

pytestmark = [pytest.mark.usefixtures("loop_parts"), pytest.mark.both_engines]


async def listed(bridge: Bridge, **kwargs) -> list[str]:
    principal = await in_database(bridge.principal)
    return [tool.exposed_name for tool in await tools_for(principal, **kwargs)]


async def test_an_agent_sees_pinned_tools_that_policy_does_not_deny(bridge: Bridge):
    names = await listed(bridge)
    assert "witness__echo" in names
    assert "witness__write_note" in names
    assert "witness__big" not in names


async def test_unknown_fields_of_a_definition_survive(bridge: Bridge):
    principal = await in_database(bridge.principal)
    echo = await resolve(principal, "witness__echo")
    assert echo is not None
    assert echo.definition["xUnknownField"] == {"kept": True}


async def test_another_teams_agent_sees_nothing(bridge: Bridge):
    await in_database(bridge.upstream.teams.clear)
    assert await listed(bridge) == []


async def test_a_disabled_upstream_is_not_listed(bridge: Bridge):
    await listed(bridge)

    def disable() -> None:
        with transaction.atomic():
            Upstream.objects.update(enabled=False)
            ledger.bump_epoch(subject="upstream:x", actor="system:test", action="disabled")

    await in_database(disable)
    assert await listed(bridge) == []


async def test_a_quarantined_tool_is_gone_from_the_next_list(bridge: Bridge):
    assert "witness__echo" in await listed(bridge)

    def quarantine() -> None:
        with transaction.atomic():
            ToolPin.objects.filter(name="echo").update(status=ToolPin.Status.QUARANTINED)
            ledger.bump_epoch(subject="upstream:x", actor="system:test", action="tested")

    await in_database(quarantine)
    assert "witness__echo" not in await listed(bridge)


async def test_an_unreadable_upstream_contributes_nothing(
    bridge: Bridge, upstream_witness: Witness
):
    upstream_witness.stop()
    assert await listed(bridge) == []
    assert (await in_database(Upstream.objects.get)).last_error


async def test_a_tool_is_resolved_by_exposed_and_by_own_name(bridge: Bridge):
    principal = await in_database(bridge.principal)
    exposed = await resolve(principal, "witness__write_note")
    own = await resolve(principal, "write_note", upstream="witness")
    assert exposed is not None
    assert exposed is own
    assert await resolve(principal, "write_note") is None
    assert await resolve(principal, "echo", upstream="nowhere") is None


async def test_tools_that_would_share_a_name_are_none_of_them_listed(bridge: Bridge, monkeypatch):
    assert len(await listed(bridge)) >= 2
    monkeypatch.setattr(snapshot, "agent_tool_name", lambda upstream, tool: "same")
    await catalog().reload()
    principal = await in_database(bridge.principal)
    assert await listed(bridge) == []
    assert await resolve(principal, "same") is None
    assert await resolve(principal, "echo", upstream="witness") is not None


async def test_a_tool_pinned_a_moment_ago_is_resolved(bridge: Bridge):
    principal = await in_database(bridge.principal)
    await listed(bridge)

    def unpin_and_pin(status: str) -> None:
        with transaction.atomic():
            ToolPin.objects.filter(name="echo").update(status=status)
            ledger.bump_epoch(subject="upstream:x", actor="system:test", action="tested")

    await in_database(unpin_and_pin, "quarantined")
    await catalog().reload()
    assert await resolve(principal, "witness__echo") is None
    await in_database(unpin_and_pin, "pinned")
    assert await resolve(principal, "witness__echo") is not None


async def test_a_forbidden_and_a_quarantined_tool_are_found_out_like_one_that_does_not_exist(
    bridge: Bridge, monkeypatch
):
    await listed(bridge)
    looks: list[str | None] = []
    reading = listing._read_now

    async def counted(principal, upstream):
        looks.append(upstream)
        return await reading(principal, upstream)

    def quarantine() -> None:
        with transaction.atomic():
            ToolPin.objects.filter(name="write_note").update(status="quarantined")
            ledger.bump_epoch(subject="upstream:x", actor="system:test", action="tested")

    await in_database(quarantine)
    await catalog().reload()
    monkeypatch.setattr(listing, "_read_now", counted)
    ours = await in_database(bridge.principal)
    stranger = replace(ours, team_id=uuid7())
    cases = (
        (stranger, "witness__echo", None),
        (stranger, "echo", "witness"),
        (stranger, "witness__none", None),
        (stranger, "echo", "nowhere"),
        (ours, "witness__write_note", None),
        (ours, "witness__none", None),
    )
    for principal, name, upstream in cases:
        looks.clear()
        assert await resolve(principal, name, upstream=upstream) is None
        assert looks == [upstream], name


async def test_many_who_ask_at_once_cost_one_reading(bridge: Bridge, monkeypatch):
    reads = []
    read = Catalog._read

    async def counted(self, source, agent_id) -> None:
        reads.append(source.name)
        await read(self, source, agent_id)

    monkeypatch.setattr(Catalog, "_read", counted)
    principal = await in_database(bridge.principal)
    await asyncio.gather(*(tools_for(principal) for _ in range(10)))
    assert reads == ["witness"]
    await tools_for(principal)
    assert reads == ["witness"]


async def test_a_list_is_read_again_when_it_is_old_or_said_to_have_changed(
    bridge: Bridge, monkeypatch, settings
):
    reads = []
    read = Catalog._read

    async def counted(self, source, agent_id) -> None:
        reads.append(source.name)
        await read(self, source, agent_id)

    monkeypatch.setattr(Catalog, "_read", counted)
    await listed(bridge)
    catalog().tools_changed(str(bridge.upstream.id))
    await listed(bridge)
    assert len(reads) == 2
    settings.MCPBRIDGE_CATALOG_SECONDS = 0
    catalog().tools_changed(str(bridge.upstream.id))
    await listed(bridge)
    assert len(reads) >= 3


async def test_drift_seen_by_a_reading_cancels_the_open_ticket_and_refuses_the_next_call(
    bridge: Bridge, upstream_witness: Witness
):
    principal = await in_database(bridge.principal)
    call = a_call("write_note", {"note": "x"})
    paused = await enforce(principal, call, waiting=Waiting.TASK)
    assert isinstance(paused, Paused)

    def pretend_it_was_different() -> None:
        # What an admin once saw is not what the witness offers: as after a change on its side.
        with transaction.atomic():
            pin = ToolPin.objects.get(name="write_note")
            pin.definition = {**pin.definition, "description": "Harmless."}
            pin.digest = b"x" * 32
            pin.save()

    await in_database(pretend_it_was_different)
    await refresh_upstream(bridge.upstream.id)
    ticket = await in_database(ledger.view, uid=paused.ticket.uid, agent_id=bridge.agent.id)
    assert (ticket.state, ticket.cancel_reason) == (State.CANCELLED, CancelReason.DRIFT)
    assert "witness__write_note" not in await listed(bridge)
    assert upstream_witness.calls() == []


async def test_an_approved_ticket_of_a_drifted_tool_is_cancelled(bridge: Bridge):
    principal = await in_database(bridge.principal)
    paused = await enforce(principal, a_call("write_note", {"note": "x"}), waiting=Waiting.TASK)
    assert isinstance(paused, Paused)
    uid = paused.ticket.uid

    def approve_then_drift() -> None:
        api.decide(
            uid=uid,
            user=bridge.cast.bob,
            verdict=api.Answer.APPROVE,
            seen_digest=bytes(Ticket.objects.get(uid=uid).digest),
            reason="",
            nonce=token_hex(16),
        )
        ToolPin.objects.filter(name="write_note").update(digest=b"x" * 32)

    await in_database(approve_then_drift)
    await refresh_upstream(bridge.upstream.id)
    ticket = await in_database(ledger.view, uid=uid, agent_id=bridge.agent.id)
    assert (ticket.state, ticket.cancel_reason) == (State.CANCELLED, CancelReason.DRIFT)


async def test_a_row_changed_behind_the_services_is_not_used(bridge: Bridge):
    def repoint() -> None:
        Upstream.objects.update(url="http://127.0.0.1:9/elsewhere")

    await in_database(repoint)
    with pytest.raises(CatalogUnreadable, match="changed from outside"):
        await refresh_upstream(bridge.upstream.id)


async def test_an_unknown_upstream_cannot_be_refreshed(bridge: Bridge):
    with pytest.raises(CatalogUnreadable, match="no such upstream"):
        await refresh_upstream(bridge.agent.id)


async def test_closing_ends_readings_under_way(bridge: Bridge, upstream_witness: Witness):
    source = (await catalog().snapshot()).sources["witness"]
    started = asyncio.Event()

    async def never(self, source, agent_id) -> None:
        started.set()
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Catalog, "_read", never)
        waiting = asyncio.create_task(catalog().refresh(source))
        await started.wait()
        await catalog_module.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
