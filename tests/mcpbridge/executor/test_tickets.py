"""Approved tickets on the road, against the witness: one send, one settled outcome."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from uuid import UUID

import pytest
from django.db import OperationalError, transaction

from approvals import api
from approvals.models import AuditEvent, Ticket
from mcpbridge import approvals_gateway as ledger
from mcpbridge.administration.upstreams import UpstreamSettings, create_upstream
from mcpbridge.approvals_gateway import CancelReason, State, TicketView, UnknownReason, Waiting
from mcpbridge.catalog.catalog import catalog
from mcpbridge.executor import tickets
from mcpbridge.executor.tickets import run_ticket
from mcpbridge.models import QuestionRecord, ToolPin, Upstream
from mcpbridge.offload import in_database
from mcpbridge.pep import Paused, enforce
from tests.support import witness
from tests.support.asker import Asker
from tests.support.bridge import Bridge, a_call
from tests.support.chat import ChatEndpoint
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness import Witness

pytestmark = [pytest.mark.usefixtures("loop_parts"), pytest.mark.both_engines]


async def approved(bridge: Bridge, tool: str = "write_note", arguments=None) -> UUID:
    """A ticket for `tool` that bob approved."""
    if tool == "slow":
        await in_database(ledger.publish_policy, document={"rules": []})
    arguments = arguments if arguments is not None else {"note": "remember"}
    principal = await in_database(bridge.principal)
    answer = await enforce(principal, a_call(tool, arguments), waiting=Waiting.TASK)
    assert isinstance(answer, Paused)
    await in_database(_approve, bridge, answer.ticket.uid)
    return answer.ticket.uid


def _approve(bridge: Bridge, uid: UUID) -> None:
    api.decide(
        uid=uid,
        user=bridge.cast.bob,
        verdict=api.Answer.APPROVE,
        seen_digest=bytes(Ticket.objects.get(uid=uid).digest),
        reason="",
        nonce=token_hex(16),
    )


async def told(bridge: Bridge, uid: UUID) -> TicketView:
    return await in_database(ledger.view, uid=uid, agent_id=bridge.agent.id)


async def test_an_approved_ticket_is_sent_once_with_the_very_bytes_and_succeeds(
    bridge: Bridge, upstream_witness: Witness
):
    uid = await approved(bridge, arguments={"note": "ünïcödé", "n": 1.5})
    await run_ticket(uid, worker="w1")
    ticket = await told(bridge, uid)
    assert ticket.state == State.SUCCEEDED
    assert json.loads(ticket.result or b"")["content"][0]["text"] == "noted"
    [call] = upstream_witness.calls()
    assert call["arguments"] == {"note": "ünïcödé", "n": 1.5}
    await run_ticket(uid, worker="w2")
    assert len(upstream_witness.calls()) == 1


async def test_a_pending_ticket_is_not_executed(bridge: Bridge, upstream_witness: Witness):
    principal = await in_database(bridge.principal)
    answer = await enforce(principal, a_call("write_note", {"note": "x"}), waiting=Waiting.TASK)
    assert isinstance(answer, Paused)
    await run_ticket(answer.ticket.uid, worker="w1")
    assert (await told(bridge, answer.ticket.uid)).state == State.PENDING
    assert upstream_witness.calls() == []


async def test_two_executors_at_one_ticket_send_once(bridge: Bridge, upstream_witness: Witness):
    uid = await approved(bridge)
    await asyncio.gather(*(run_ticket(uid, worker=f"w{n}") for n in range(4)))
    assert len(upstream_witness.calls()) == 1
    assert (await told(bridge, uid)).state == State.SUCCEEDED


async def test_the_send_is_committed_before_the_first_byte(
    bridge: Bridge, upstream_witness: Witness
):
    uid = await approved(bridge)
    upstream_witness.hold()
    running = asyncio.create_task(run_ticket(uid, worker="w1"))
    await eventually_async(upstream_witness.calls)
    assert (await told(bridge, uid)).state == State.SENT
    upstream_witness.release()
    await running
    assert (await told(bridge, uid)).state == State.SUCCEEDED


async def test_a_send_that_cannot_be_committed_lets_no_byte_out(
    bridge: Bridge, upstream_witness: Witness, monkeypatch
):
    uid = await approved(bridge)

    def away(*args, **kwargs) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(tickets.ledger, "record_send", away)
    with pytest.raises(OperationalError):
        await run_ticket(uid, worker="w1")
    assert (await told(bridge, uid)).state == State.CLAIMED
    assert upstream_witness.calls() == []


async def test_a_tool_that_reports_failure_fails_the_ticket_with_its_whole_answer(bridge: Bridge):
    uid = await approved(bridge, "fail", {})
    await run_ticket(uid, worker="w1")
    ticket = await told(bridge, uid)
    assert ticket.state == State.FAILED
    assert json.loads(ticket.result or b"")["isError"] is True


async def test_a_json_rpc_error_fails_the_ticket(bridge: Bridge):
    uid = await approved(bridge, "rpc_error", {})
    await run_ticket(uid, worker="w1")
    ticket = await told(bridge, uid)
    assert ticket.state == State.FAILED
    assert json.loads(ticket.result or b"")["error"]["message"] == "no such luck"


async def test_an_upstream_that_is_away_fails_the_ticket_before_anything_is_sent(
    bridge: Bridge, upstream_witness: Witness
):
    uid = await approved(bridge)
    upstream_witness.stop()
    await catalog().close()
    await run_ticket(uid, worker="w1")
    ticket = await told(bridge, uid)
    assert ticket.state == State.FAILED
    assert ticket.result is None
    assert ticket.reason
    assert (await in_database(Ticket.objects.get)).sent_at is None


async def test_an_upstream_that_dies_after_the_bytes_leaves_the_outcome_unknown(
    bridge: Bridge, upstream_witness: Witness
):
    uid = await approved(bridge)
    upstream_witness.hold()
    running = asyncio.create_task(run_ticket(uid, worker="w1"))
    await eventually_async(upstream_witness.calls)
    upstream_witness.stop()
    await running
    ticket = await told(bridge, uid)
    assert (ticket.state, ticket.unknown_reason) == (State.OUTCOME_UNKNOWN, UnknownReason.EOF)


async def test_an_upstream_that_never_answers_times_out_as_unknown(
    bridge: Bridge, upstream_witness: Witness
):
    def impatient() -> None:
        Upstream.objects.update(timeouts={"first_byte": 1, "total": 1.5, "connect": 10})

    await in_database(impatient)
    uid = await approved(bridge)
    upstream_witness.hold()
    await run_ticket(uid, worker="w1")
    ticket = await told(bridge, uid)
    assert (ticket.state, ticket.unknown_reason) == (
        State.OUTCOME_UNKNOWN,
        UnknownReason.TIMEOUT,
    )


async def test_a_tool_that_changed_after_the_approval_is_not_called(
    bridge: Bridge, upstream_witness: Witness
):
    uid = await approved(bridge)

    def change() -> None:
        with transaction.atomic():
            ToolPin.objects.filter(name="write_note").update(digest=b"x" * 32)
            ledger.bump_epoch(subject="upstream:x", actor="system:test", action="tested")

    await in_database(change)
    await run_ticket(uid, worker="w1")
    ticket = await told(bridge, uid)
    assert (ticket.state, ticket.cancel_reason) == (State.CANCELLED, CancelReason.DRIFT)
    assert upstream_witness.calls() == []


async def test_a_tool_that_changes_between_look_and_send_is_not_called(
    bridge: Bridge, upstream_witness: Witness, monkeypatch
):
    uid = await approved(bridge)
    record_send = ledger.record_send

    def change_first(claim, **kwargs) -> None:
        with transaction.atomic():
            if ToolPin.objects.filter(name="write_note", status="pinned").update(
                status=ToolPin.Status.QUARANTINED
            ):
                ledger.bump_epoch(subject="upstream:x", actor="system:test", action="tested")
        record_send(claim, **kwargs)

    monkeypatch.setattr(tickets.ledger, "record_send", change_first)
    await run_ticket(uid, worker="w1")
    ticket = await told(bridge, uid)
    assert (ticket.state, ticket.cancel_reason) == (State.CANCELLED, CancelReason.DRIFT)
    assert upstream_witness.calls() == []


async def test_an_upstream_that_points_elsewhere_after_the_approval_is_not_called(
    bridge: Bridge, upstream_witness: Witness
):
    uid = await approved(bridge)

    def repoint() -> None:
        Upstream.objects.update(url=upstream_witness.url + "/other")

    await in_database(repoint)
    await run_ticket(uid, worker="w1")
    ticket = await told(bridge, uid)
    assert ticket.state in {State.CANCELLED, State.FAILED}
    assert upstream_witness.calls() == []


async def test_an_upstream_that_was_closed_to_the_team_after_the_approval_is_not_called(
    bridge: Bridge, upstream_witness: Witness
):
    uid = await approved(bridge)

    def close_it() -> None:
        with transaction.atomic():
            bridge.upstream.teams.clear()
            ledger.bump_epoch(subject="upstream:x", actor="system:test", action="tested")

    await in_database(close_it)
    await run_ticket(uid, worker="w1")
    ticket = await told(bridge, uid)
    assert (ticket.state, ticket.cancel_reason) == (State.CANCELLED, CancelReason.DRIFT)
    assert upstream_witness.calls() == []


async def test_a_kill_switch_before_the_send_lets_nothing_out(
    bridge: Bridge, upstream_witness: Witness, monkeypatch
):
    uid = await approved(bridge)
    record_send = ledger.record_send

    def kill_first(claim, **kwargs) -> None:
        person = bridge.cast.carol.person
        person.is_admin = True
        person.save()
        ledger.kill(user=bridge.cast.carol)
        record_send(claim, **kwargs)

    monkeypatch.setattr(tickets.ledger, "record_send", kill_first)
    await run_ticket(uid, worker="w1")
    ticket = await told(bridge, uid)
    assert (ticket.state, ticket.cancel_reason) == (State.CANCELLED, CancelReason.KILL_SWITCH)
    assert upstream_witness.calls() == []


async def test_the_kill_switch_ends_a_sent_call_within_five_seconds(
    bridge: Bridge, upstream_witness: Witness
):
    uid = await approved(bridge, "slow", {"seconds": 60})
    running = asyncio.create_task(run_ticket(uid, worker="w1"))
    await eventually_async(upstream_witness.calls)

    def kill() -> None:
        person = bridge.cast.carol.person
        person.is_admin = True
        person.save()
        ledger.kill(user=bridge.cast.carol)

    await in_database(kill)
    await asyncio.wait_for(running, 5)
    ticket = await told(bridge, uid)
    assert (ticket.state, ticket.unknown_reason) == (
        State.OUTCOME_UNKNOWN,
        UnknownReason.ABORTED,
    )


async def test_a_withdrawn_call_that_was_sent_is_aborted_and_unknown(
    bridge: Bridge, upstream_witness: Witness
):
    uid = await approved(bridge, "slow", {"seconds": 60})
    running = asyncio.create_task(run_ticket(uid, worker="w1"))
    await eventually_async(upstream_witness.calls)
    await in_database(ledger.withdraw, uid=uid, agent_id=bridge.agent.id)
    await asyncio.wait_for(running, PATIENCE)
    ticket = await told(bridge, uid)
    assert (ticket.state, ticket.unknown_reason) == (
        State.OUTCOME_UNKNOWN,
        UnknownReason.ABORTED,
    )


async def test_an_outcome_is_offered_again_while_the_database_is_away(bridge: Bridge, monkeypatch):
    uid = await approved(bridge)
    settle, failures = ledger.settle_succeeded, iter([True, True, False])

    def away_at_first(claim, result) -> None:
        if next(failures):
            raise OperationalError("the database is away")
        settle(claim, result)

    monkeypatch.setattr(tickets, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(tickets.ledger, "settle_succeeded", away_at_first)
    await run_ticket(uid, worker="w1")
    assert (await told(bridge, uid)).state == State.SUCCEEDED


async def test_an_answer_after_the_sweeper_gave_up_changes_nothing(
    bridge: Bridge, upstream_witness: Witness, settings
):
    settings.APPROVALS_LEASE_SECONDS = 2
    uid = await approved(bridge)
    upstream_witness.hold()

    async def no_renewal(self) -> None:
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tickets.LeaseKeeper, "_keep", no_renewal)
        running = asyncio.create_task(run_ticket(uid, worker="w1"))
        await eventually_async(upstream_witness.calls)

        async def swept() -> bool:
            await in_database(ledger.sweep)
            return (await told(bridge, uid)).state == State.OUTCOME_UNKNOWN

        await eventually_async(swept)
        upstream_witness.release()
        await running
    ticket = await told(bridge, uid)
    assert (ticket.state, ticket.unknown_reason) == (
        State.OUTCOME_UNKNOWN,
        UnknownReason.LEASE_LOST,
    )
    assert len(upstream_witness.calls()) == 1


async def test_a_lease_is_kept_alive_while_the_upstream_thinks(
    bridge: Bridge, upstream_witness: Witness, settings
):
    settings.APPROVALS_LEASE_SECONDS = 3
    uid = await approved(bridge, "slow", {"seconds": 5})
    running = asyncio.create_task(run_ticket(uid, worker="w1"))
    while not running.done():
        await in_database(ledger.sweep)
        await asyncio.wait({running}, timeout=0.2)
    assert (await told(bridge, uid)).state == State.SUCCEEDED


async def test_an_answer_that_comes_after_an_abort_is_kept_as_evidence_only(
    bridge: Bridge, tmp_path
):
    legacy = witness.start(tmp_path / "legacy", era="legacy")
    try:
        settings = UpstreamSettings(
            transport="http",
            url=legacy.url,
            allow_private_addresses=True,
            pin_on_first_contact=True,
            team_ids=frozenset({bridge.cast.team.pk}),
        )
        await in_database(create_upstream, actor="system:test", name="legacy", settings=settings)
        principal = await in_database(bridge.principal)
        call = replace(a_call("write_note", {"note": "late"}), upstream="legacy")
        paused = await enforce(principal, call, waiting=Waiting.TASK)
        assert isinstance(paused, Paused)
        uid = paused.ticket.uid
        await in_database(_approve, bridge, uid)
        legacy.hold()
        running = asyncio.create_task(run_ticket(uid, worker="w1"))
        await eventually_async(legacy.calls)
        await in_database(ledger.withdraw, uid=uid, agent_id=bridge.agent.id)
        await asyncio.wait_for(running, PATIENCE)
        assert (await told(bridge, uid)).state == State.OUTCOME_UNKNOWN
        legacy.release()

        def kept() -> bool:
            return AuditEvent.objects.filter(subject=f"ticket:{uid}", action="late_answer").exists()

        await eventually_async(lambda: in_database(kept))
        assert (await told(bridge, uid)).state == State.OUTCOME_UNKNOWN
    finally:
        legacy.stop()


@pytest.mark.parametrize("mode", ["refuse", "agent", "endpoint"])
async def test_sampling_during_an_approved_call_ends_in_the_right_state_and_asks_no_agent(
    bridge: Bridge, tmp_path: Path, mode: str
):
    asker, chat = Asker(tmp_path, era="legacy"), ChatEndpoint()
    url, model = await asker.start(), await chat.start()
    questions: dict[str, object] = {} if mode == "refuse" else {"sampling": mode}
    if mode == "endpoint":
        questions["endpoint"] = {"url": model, "models": ["m"], "allow_private_addresses": True}
    settings = UpstreamSettings(
        transport="http",
        url=url,
        allow_private_addresses=True,
        pin_on_first_contact=True,
        team_ids=frozenset({bridge.cast.team.pk}),
        questions=questions,
    )
    try:
        await in_database(create_upstream, actor="system:test", name="asker", settings=settings)
        principal = await in_database(bridge.principal)
        call = replace(a_call("ask", {"questions": ["sampling"]}), upstream="asker")
        paused = await enforce(principal, call, waiting=Waiting.TASK)
        assert isinstance(paused, Paused)
        await in_database(_approve, bridge, paused.ticket.uid)
        await run_ticket(paused.ticket.uid, worker="w1")
        ticket = await told(bridge, paused.ticket.uid)
    finally:
        await catalog().close()
        await asker.close()
        await chat.close()
    assert ticket.state == State.SUCCEEDED
    told_upstream = asker.told[0]["sampling"]
    if mode == "endpoint":
        assert told_upstream["content"]["text"] == "Paris."
        record = await in_database(QuestionRecord.objects.get)
        assert record.ticket_uid == paused.ticket.uid
    else:
        assert told_upstream["refused"]["code"] == -32601
        assert await in_database(QuestionRecord.objects.count) == 0


async def test_a_modern_upstream_that_asks_during_an_approved_call_gets_no_second_send(
    bridge: Bridge, tmp_path: Path
):
    asker = Asker(tmp_path, era="modern")
    settings = UpstreamSettings(
        transport="http",
        url=await asker.start(),
        allow_private_addresses=True,
        pin_on_first_contact=True,
        team_ids=frozenset({bridge.cast.team.pk}),
        questions={"elicitation": "agent", "roots": "fixed"},
    )
    try:
        await in_database(create_upstream, actor="system:test", name="asker", settings=settings)
        principal = await in_database(bridge.principal)
        call = replace(a_call("ask", {"questions": ["roots"]}), upstream="asker")
        paused = await enforce(principal, call, waiting=Waiting.TASK)
        assert isinstance(paused, Paused)
        await in_database(_approve, bridge, paused.ticket.uid)
        await run_ticket(paused.ticket.uid, worker="w1")
        ticket = await told(bridge, paused.ticket.uid)
    finally:
        await catalog().close()
        await asker.close()
    assert ticket.state == State.FAILED
    assert len(asker.asked) == 1
    assert asker.capabilities == [{}]
