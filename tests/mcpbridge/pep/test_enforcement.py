"""The enforcement point against real rows, a real ledger and the witness."""

from __future__ import annotations

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from approvals import api
from mcpbridge import approvals_gateway as ledger
from mcpbridge import records
from mcpbridge.approvals_gateway import AgentNotLive, State, Waiting
from mcpbridge.calls import outcome as outcomes
from mcpbridge.catalog.catalog import catalog
from mcpbridge.models import Agent, AgentToken, CallRecord, ToolPin, Upstream
from mcpbridge.offload import in_database
from mcpbridge.pep import Allowed, Denied, Paused, Unavailable, enforce, enforcement
from mcpbridge.records import writer
from tests.support.bridge import RULES, Bridge, a_call
from tests.support.witness import Witness

pytestmark = [pytest.mark.usefixtures("loop_parts"), pytest.mark.both_engines]


async def ask(bridge: Bridge, tool: str, arguments=None, **meta):
    principal = await in_database(bridge.principal)
    return await enforce(principal, a_call(tool, arguments, **meta), waiting=Waiting.HANDED_OVER)


async def rows() -> list[CallRecord]:
    return await in_database(lambda: list(CallRecord.objects.order_by("started_at")))


async def test_an_allowed_call_is_on_record_before_it_may_be_run(bridge: Bridge):
    answer = await ask(bridge, "echo", {"text": "hi"})
    assert isinstance(answer, Allowed)
    [row] = await rows()
    assert row.id == answer.record_id
    assert (row.verdict, row.rule, row.tool_name) == ("allow", "reading is fine", "echo")
    assert bytes(row.tool_digest) == answer.tool.digest


async def test_a_denied_call_is_on_record_and_says_which_rule(
    bridge: Bridge, upstream_witness: Witness
):
    await ask(bridge, "echo")
    answer = await ask(bridge, "big", {"n": 3})
    assert isinstance(answer, Denied)
    assert answer.outcome == outcomes.DeniedByPolicy(rule="nothing big")
    assert [row.verdict for row in await rows()] == ["allow", "deny"]
    assert upstream_witness.calls() == []


async def test_a_sensitive_call_becomes_a_ticket_and_nothing_reaches_the_upstream(
    bridge: Bridge, upstream_witness: Witness
):
    answer = await ask(bridge, "write_note", {"note": "x"})
    assert isinstance(answer, Paused)
    assert answer.kind == "opened"
    assert answer.ticket.state == State.PENDING
    assert (answer.ticket.upstream_name, answer.ticket.tool_name) == ("witness", "write_note")
    assert await rows() == []
    assert upstream_witness.calls() == []


async def test_a_call_that_no_rule_matches_asks_people(bridge: Bridge):
    assert isinstance(await ask(bridge, "count"), Paused)


async def test_a_repeat_attaches_to_the_open_ticket(bridge: Bridge):
    first = await ask(bridge, "write_note", {"note": "x"})
    second = await ask(bridge, "write_note", {"note": "x"})
    assert isinstance(first, Paused)
    assert isinstance(second, Paused)
    assert second.kind == "attached"
    assert second.ticket.uid == first.ticket.uid


async def test_a_reused_idempotency_key_is_the_agents_own_error(bridge: Bridge):
    await ask(bridge, "write_note", {"note": "x"}, idempotency_key="k")
    answer = await ask(bridge, "write_note", {"note": "y"}, idempotency_key="k")
    assert isinstance(answer, Unavailable)
    assert answer.code == "idempotency_key_reused"
    assert not answer.outcome.retry


async def test_too_many_open_tickets_are_refused(bridge: Bridge):
    await in_database(Agent.objects.update, max_open_tickets=1)
    bridge.agent.max_open_tickets = 1
    assert isinstance(await ask(bridge, "write_note", {"note": "1"}), Paused)
    answer = await ask(bridge, "write_note", {"note": "2"})
    assert isinstance(answer, Unavailable)
    assert answer.code == "too_many_open_tickets"
    assert answer.outcome.retry_after == answer.retry_after > 0


async def test_an_agent_that_people_paused_is_told_so_and_its_allowed_calls_go_on(bridge: Bridge):
    assert isinstance(await ask(bridge, "write_note", {"note": "1"}), Paused)
    await in_database(api.pause_agent, agent_id=bridge.agent.pk, user=bridge.cast.bob)
    answer = await ask(bridge, "write_note", {"note": "2"})
    assert isinstance(answer, Denied)
    assert answer.outcome == outcomes.AgentPaused()
    assert isinstance(await ask(bridge, "echo", {"text": "hi"}), Allowed)
    await in_database(api.resume_agent, agent_id=bridge.agent.pk, user=bridge.cast.bob)
    assert isinstance(await ask(bridge, "write_note", {"note": "2"}), Paused)


async def test_an_unknown_tool_is_refused_without_a_record(bridge: Bridge):
    await ask(bridge, "echo")
    before = len(await rows())
    answer = await ask(bridge, "no_such_tool")
    assert isinstance(answer, Unavailable)
    assert answer.code == "unknown_tool"
    assert len(await rows()) == before


async def test_an_upstream_of_another_team_is_as_good_as_unknown(bridge: Bridge):
    await in_database(bridge.upstream.teams.clear)
    answer = await ask(bridge, "echo")
    assert isinstance(answer, Unavailable)
    assert answer.code == "unknown_tool"


async def test_a_quarantined_tool_is_refused(bridge: Bridge):
    await ask(bridge, "echo")

    def quarantine() -> None:
        with transaction.atomic():
            ToolPin.objects.filter(name="echo").update(status=ToolPin.Status.QUARANTINED)
            ledger.bump_epoch(subject="upstream:x", actor="system:test", action="tested")

    await in_database(quarantine)
    answer = await ask(bridge, "echo")
    assert isinstance(answer, Unavailable)
    assert answer.code == "unknown_tool"


async def test_an_upstream_that_cannot_be_read_refuses_the_call_unrecorded(
    bridge: Bridge, upstream_witness: Witness
):
    await ask(bridge, "echo")
    before = len(await rows())
    upstream_witness.stop()
    await catalog().close()
    answer = await ask(bridge, "echo")
    assert isinstance(answer, Unavailable)
    assert answer.code == "upstream_unavailable"
    assert len(await rows()) == before
    row = await in_database(Upstream.objects.get)
    assert row.last_error


async def test_the_kill_switch_refuses_everything_and_records_nothing(bridge: Bridge):
    await ask(bridge, "echo")
    await in_database(make_admin, bridge)
    await in_database(ledger.kill, user=bridge.cast.carol)
    before = len(await rows())
    for tool in ("echo", "big", "write_note"):
        answer = await ask(bridge, tool)
        assert isinstance(answer, Denied)
        assert answer.outcome == outcomes.KillSwitchOn()
    assert len(await rows()) == before


async def test_calls_run_again_after_the_kill_switch_is_off(bridge: Bridge):
    await in_database(make_admin, bridge)
    await in_database(ledger.kill, user=bridge.cast.carol)
    assert isinstance(await ask(bridge, "echo"), Denied)
    await in_database(ledger.unkill, user=bridge.cast.carol)
    assert isinstance(await ask(bridge, "echo"), Allowed)


async def test_a_kill_between_judging_and_recording_stops_the_call(bridge: Bridge, monkeypatch):
    await ask(bridge, "echo")
    await in_database(make_admin, bridge)
    start = records.start

    async def killed_meanwhile(call):
        await in_database(ledger.kill, user=bridge.cast.carol)
        await start(call)

    monkeypatch.setattr(enforcement.records, "start", killed_meanwhile)
    before = len(await rows())
    answer = await ask(bridge, "echo")
    assert isinstance(answer, Denied)
    assert answer.outcome == outcomes.KillSwitchOn()
    assert len(await rows()) == before


async def test_a_policy_published_while_a_call_is_judged_judges_it_again(
    bridge: Bridge, monkeypatch
):
    await ask(bridge, "echo")
    start = records.start
    denying = {"name": "no echo", "tool": "echo", "effect": "deny"}

    async def published_meanwhile(call):
        await in_database(ledger.publish_policy, document={"rules": [denying, *RULES]})
        await start(call)

    monkeypatch.setattr(enforcement.records, "start", published_meanwhile)
    answer = await ask(bridge, "echo")
    assert isinstance(answer, Denied)
    assert answer.outcome == outcomes.DeniedByPolicy(rule="no echo")
    assert [row.verdict for row in await rows()] == ["allow", "deny"]


async def test_a_remembered_principal_whose_token_was_revoked_is_refused(bridge: Bridge):
    principal = await in_database(bridge.principal)
    call = a_call("echo")
    assert isinstance(await enforce(principal, call, waiting=Waiting.HANDED_OVER), Allowed)

    def revoke() -> None:
        with transaction.atomic():
            AgentToken.objects.update(revoked_at=timezone.now())
            ledger.bump_epoch(subject="agent:x", actor="system:test", action="token_revoked")

    await in_database(revoke)
    before = len(await rows())
    with pytest.raises(AgentNotLive):
        await enforce(principal, call, waiting=Waiting.HANDED_OVER)
    assert len(await rows()) == before


async def test_a_ledger_that_cannot_be_written_refuses_the_call(bridge: Bridge, monkeypatch):
    await ask(bridge, "echo")

    def away(starts) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(writer, "insert_starts", away)
    answer = await ask(bridge, "echo")
    assert isinstance(answer, Unavailable)
    assert answer.code == "ledger_unavailable"


async def test_a_ticket_that_cannot_be_written_refuses_the_call(bridge: Bridge, monkeypatch):
    await ask(bridge, "echo")

    def away(**anything) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(enforcement.ledger, "submit", away)
    answer = await ask(bridge, "write_note", {"note": "x"})
    assert isinstance(answer, Unavailable)
    assert answer.code == "ledger_unavailable"


def make_admin(bridge: Bridge) -> None:
    person = bridge.cast.carol.person
    person.is_admin = True
    person.save()
