"""Allowed calls on the road, against the witness."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mcpbridge import approvals_gateway as ledger
from mcpbridge import records
from mcpbridge.administration import AgentSettings, change_agent
from mcpbridge.administration.tokens import revoke_token
from mcpbridge.approvals_gateway import Waiting
from mcpbridge.calls import outcome as outcomes
from mcpbridge.catalog.catalog import catalog
from mcpbridge.executor.allowed import run_allowed
from mcpbridge.models import Agent, AgentToken, CallCompletion
from mcpbridge.offload import in_database
from mcpbridge.pep import Allowed, enforce
from tests.support.bridge import Bridge, a_call
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness import Witness

pytestmark = [pytest.mark.usefixtures("loop_parts"), pytest.mark.both_engines]

FAILING = {"name": "fail away", "tool": "fail", "effect": "allow"}
ERRING = {"name": "err away", "tool": "rpc_error", "effect": "allow"}
ASKING = {"name": "ask away", "tool": "ask", "effect": "allow"}


async def allowed(bridge: Bridge, tool: str, arguments=None) -> Allowed:
    principal = await in_database(bridge.principal)
    answer = await enforce(principal, a_call(tool, arguments), waiting=Waiting.HANDED_OVER)
    assert isinstance(answer, Allowed)
    return answer


async def completion(answer: Allowed) -> CallCompletion:
    def look() -> CallCompletion | None:
        return CallCompletion.objects.filter(pk=answer.record_id).first()

    return await eventually_async(lambda: in_database(look))


async def test_an_allowed_call_reaches_the_upstream_once_and_its_whole_result_comes_back(
    bridge: Bridge, upstream_witness: Witness
):
    answer = await allowed(bridge, "echo", {"text": "hi"})
    outcome = await run_allowed(answer)
    assert isinstance(outcome, outcomes.Executed)
    assert outcome.result["content"] == [{"type": "text", "text": "hi"}]
    assert outcome.result["xKept"] == [1, 2.5]
    [call] = upstream_witness.calls()
    assert call["arguments"] == {"text": "hi"}
    row = await completion(answer)
    assert row.status == "ok"
    assert row.result_bytes > 0


async def test_a_tools_own_failure_is_passed_on_and_recorded_as_error(bridge: Bridge):
    await in_database(ledger.publish_policy, document={"rules": [FAILING]})
    answer = await allowed(bridge, "fail")
    outcome = await run_allowed(answer)
    assert isinstance(outcome, outcomes.Executed)
    assert outcome.is_tool_error
    assert (await completion(answer)).status == "error"


async def test_a_json_rpc_error_is_passed_on_whole(bridge: Bridge):
    await in_database(ledger.publish_policy, document={"rules": [ERRING]})
    answer = await allowed(bridge, "rpc_error")
    outcome = await run_allowed(answer)
    assert outcome == outcomes.UpstreamError(
        code=-32602, message="no such luck", data={"why": "asked for"}
    )
    row = await completion(answer)
    assert (row.status, row.reason) == ("error", "-32602")


async def test_an_upstream_that_is_gone_gets_nothing_and_the_call_says_so(
    bridge: Bridge, upstream_witness: Witness
):
    answer = await allowed(bridge, "echo", {"text": "hi"})
    upstream_witness.stop()
    outcome = await run_allowed(answer)
    assert isinstance(outcome, outcomes.NotSent | outcomes.OutcomeUnknown)
    assert (await completion(answer)).status in {"unsent", "unknown"}
    assert upstream_witness.calls() == []


async def test_an_upstream_that_dies_before_the_answer_leaves_the_outcome_unknown(
    bridge: Bridge, upstream_witness: Witness
):
    answer = await allowed(bridge, "echo", {"text": "hi"})
    upstream_witness.hold()
    running = asyncio.create_task(run_allowed(answer))
    await eventually_async(upstream_witness.calls)
    upstream_witness.stop()
    outcome = await running
    assert outcome == outcomes.OutcomeUnknown(reason="eof")
    row = await completion(answer)
    assert (row.status, row.reason) == ("unknown", "eof")


async def test_an_abort_ends_the_call_as_unknown(bridge: Bridge, upstream_witness: Witness):
    answer = await allowed(bridge, "slow", {"seconds": 60})
    abort = asyncio.Event()
    running = asyncio.create_task(run_allowed(answer, abort=abort))
    await eventually_async(upstream_witness.calls)
    abort.set()
    assert await running == outcomes.OutcomeUnknown(reason="aborted")
    assert (await completion(answer)).reason == "aborted"


async def test_a_cancelled_caller_leaves_an_aborted_completion(
    bridge: Bridge, upstream_witness: Witness
):
    answer = await allowed(bridge, "slow", {"seconds": 60})
    running = asyncio.create_task(run_allowed(answer))
    await eventually_async(upstream_witness.calls)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    row = await completion(answer)
    assert (row.status, row.reason) == ("unknown", "aborted")


async def test_the_kill_switch_ends_allowed_calls_under_way_within_five_seconds(
    bridge: Bridge, upstream_witness: Witness
):
    answer = await allowed(bridge, "slow", {"seconds": 60})
    running = asyncio.create_task(run_allowed(answer))
    await eventually_async(upstream_witness.calls)

    def kill() -> None:
        person = bridge.cast.carol.person
        person.is_admin = True
        person.save()
        ledger.kill(user=bridge.cast.carol)

    await in_database(kill)
    outcome = await asyncio.wait_for(running, 5)
    assert outcome == outcomes.OutcomeUnknown(reason="aborted")


@pytest.mark.parametrize("act", ["disable", "revoke"])
async def test_taking_an_agents_authority_ends_its_allowed_calls_and_nobody_elses(
    bridge: Bridge, upstream_witness: Witness, act: str
):
    mine = asyncio.create_task(run_allowed(await allowed(bridge, "slow", {"seconds": 60})))
    other = await in_database(a_neighbour, bridge)
    theirs = asyncio.create_task(run_allowed(await allowed(other, "slow", {"seconds": 60})))
    await eventually_async(lambda: len(upstream_witness.calls()) == 2)

    if act == "revoke":
        await in_database(revoke_token, actor="system:test", token_id=bridge.token.id)
    else:
        settings = AgentSettings(
            owner_id=bridge.agent.owner_id, team_id=bridge.agent.team_id, enabled=False
        )
        await in_database(
            change_agent, actor="system:test", agent_id=bridge.agent.id, settings=settings
        )

    outcome = await asyncio.wait_for(mine, PATIENCE)
    assert outcome == outcomes.OutcomeUnknown(reason="aborted")
    assert not theirs.done()
    theirs.cancel()
    await asyncio.gather(theirs, return_exceptions=True)


def a_neighbour(bridge: Bridge) -> Bridge:
    """Another agent of the same team, with a token of its own."""
    agent = Agent.objects.create(name="hobo", team=bridge.agent.team, owner=bridge.agent.owner)
    token = AgentToken.objects.create(
        agent=agent, digest=b"h" * 32, hint="hobo", expires_at=bridge.token.expires_at
    )
    return replace(bridge, agent=agent, token=token)


async def test_progress_of_an_allowed_call_is_handed_on(bridge: Bridge):
    answer = await allowed(bridge, "slow", {"seconds": 0.3})
    seen = []
    outcome = await run_allowed(answer, on_progress=seen.append)
    assert isinstance(outcome, outcomes.Executed)
    assert seen


async def test_a_completion_that_cannot_be_written_does_not_delay_the_answer(
    bridge: Bridge, monkeypatch
):
    answer = await allowed(bridge, "echo", {"text": "hi"})
    monkeypatch.setattr(records, "ended", lambda end: None)
    assert isinstance(await run_allowed(answer), outcomes.Executed)
    assert await in_database(CallCompletion.objects.count) == 0
    await catalog().close()
