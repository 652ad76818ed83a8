"""Paused calls as tasks, through the face: made, asked for, taken back, and kept from others."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from approvals.models import Ticket
from mcpbridge.administration import issue_token
from mcpbridge.models import Agent
from mcpbridge.offload import in_database
from mcpbridge.server.tasks import WatchedTasks
from tests.mcpbridge.server.test_journeys import approve_and_execute, decide, open_ticket
from tests.support.bridge import Bridge
from tests.support.face import MODERN, ServedFace, modern_body, with_tasks
from tests.support.plain_http import http_client
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness import Witness

pytestmark = pytest.mark.both_engines

NOTE = with_tasks({"name": "witness__write_note", "arguments": {"note": "buy milk"}})


async def called(face: ServedFace, params: dict[str, Any] = NOTE) -> dict[str, Any]:
    answer = await face.modern("tools/call", params)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


async def asked(face: ServedFace, method: str, task_id: str, **more: Any) -> httpx2.Response:
    return await face.modern(method, with_tasks({"taskId": task_id, **more}))


async def task(face: ServedFace, task_id: str) -> dict[str, Any]:
    answer = await asked(face, "tasks/get", task_id)
    assert answer.status_code == 200, answer.text
    found = answer.json()["result"]
    assert found["resultType"] == "complete"
    return found


async def row(uid: str) -> Ticket:
    return await in_database(Ticket.objects.get, uid=uid)


async def test_a_paused_call_is_a_task_that_is_asked_for_until_its_result_is_there(
    face: ServedFace, witness: Witness, bridge: Bridge
) -> None:
    created = await called(face)
    assert created["resultType"] == "task"
    assert created["status"] == "working"
    assert "result" not in created
    assert (await task(face, created["taskId"]))["status"] == "working"
    assert (await row(created["taskId"])).waiting == "task"
    assert witness.calls() == []
    await approve_and_execute(await open_ticket(), bridge.cast.bob)
    over = await task(face, created["taskId"])
    assert over["status"] == "completed"
    assert "executed once" in over["result"]["content"][-1]["text"]
    assert len(witness.calls()) == 1
    await eventually_async(lambda: is_delivered(created["taskId"]))
    assert (await task(face, created["taskId"])) == over


async def is_delivered(uid: str) -> bool:
    return (await row(uid)).delivered_at is not None


async def test_a_rejected_task_is_completed_with_an_error_that_says_why(
    face: ServedFace, witness: Witness, bridge: Bridge
) -> None:
    created = await called(face)
    await decide(await open_ticket(), bridge.cast.carol, "reject", "not on a Friday")
    over = await task(face, created["taskId"])
    assert over["status"] == "completed"
    assert over["result"]["isError"] is True
    assert "not on a Friday" in over["result"]["content"][0]["text"]
    assert witness.calls() == []


async def test_a_cancelled_task_executes_nothing_and_makes_room(
    face: ServedFace, witness: Witness, bridge: Bridge
) -> None:
    created = await called(face)
    for _ in range(2):  # the second time it is over already
        answer = await asked(face, "tasks/cancel", created["taskId"])
        assert answer.json()["result"].keys() == {"resultType", "_meta"}
    assert (await task(face, created["taskId"]))["status"] == "cancelled"
    assert not await in_database(Ticket.objects.filter(ended_at=None).exists)
    assert witness.calls() == []


async def test_answers_to_questions_that_no_task_asked_are_acknowledged_and_change_nothing(
    face: ServedFace,
) -> None:
    created = await called(face)
    before = await row(created["taskId"])
    answer = await asked(face, "tasks/update", created["taskId"], inputResponses={"x": {}})
    assert answer.json()["result"].keys() == {"resultType", "_meta"}
    assert (await row(created["taskId"])).version == before.version


async def test_an_allowed_call_is_no_task(face: ServedFace) -> None:
    done = await called(face, with_tasks({"name": "witness__echo", "arguments": {"text": "x"}}))
    assert done["resultType"] == "complete"
    assert "taskId" not in done


async def test_a_repeat_is_told_the_same_task_and_a_later_one_its_outcome(
    face: ServedFace, bridge: Bridge, witness: Witness
) -> None:
    first = await called(face)
    assert (await called(face))["taskId"] == first["taskId"]
    await approve_and_execute(await open_ticket(), bridge.cast.bob)
    repeated = await called(face)  # nobody asked for the task yet: the outcome is still owed
    assert repeated["resultType"] == "complete"
    assert "one execution for 2 requests" in repeated["content"][-1]["text"]
    assert len(witness.calls()) == 1


async def test_a_task_survives_its_connections_and_a_held_repeat_that_leaves(
    face: ServedFace, witness: Witness, bridge: Bridge
) -> None:
    created = await called(face)
    plain = {"name": NOTE["name"], "arguments": NOTE["arguments"]}
    headers = face.headers(
        mcp_protocol_version=MODERN, mcp_method="tools/call", mcp_name=plain["name"]
    )
    body = json.dumps(modern_body("tools/call", {**plain, "_meta": {"progressToken": 1}}))
    async with (
        http_client(timeout=20) as http,
        http.stream("POST", face.origin + "/mcp", content=body, headers=headers),
    ):
        await eventually_async(lambda: counted(created["taskId"], 2))
    ticket = await open_ticket()
    await eventually_async(lambda: len(face.face.waiters) == 0)
    await approve_and_execute(ticket, bridge.cast.bob)
    assert (await task(face, created["taskId"]))["status"] == "completed"
    assert len(witness.calls()) == 1


async def counted(uid: str, requests: int) -> bool:
    return (await row(uid)).requests == requests


async def test_a_task_that_its_agent_was_never_told_of_is_taken_back(
    face: ServedFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = face.face.handlers._parts.paused.begun

    def hesitates(*args: Any) -> None:
        begun(*args)
        args[1].gone = True  # the connection breaks before the answer is written

    monkeypatch.setattr(face.face.handlers._parts.paused, "begun", hesitates)
    await called(face)
    await eventually_async(lambda: in_database(one_withdrawn))


def one_withdrawn() -> bool:
    return Ticket.objects.get().cancel_reason == "withdrawn"


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_foreign_unknown_and_malformed_tasks_and_plain_tickets_look_the_same(
    face: ServedFace, bridge: Bridge, method: str
) -> None:
    created = await called(face)
    held = asyncio.create_task(
        face.modern("tools/call", {"name": NOTE["name"], "arguments": {"note": "held"}})
    )
    plain = await eventually_async(lambda: in_database(held_ticket))
    own = face.secret
    said = []
    more = {"inputResponses": {}} if method == "tasks/update" else {}
    for secret, task_id in (
        (await in_database(another_agent, bridge), created["taskId"]),
        (own, str(uuid4())),
        (own, "no-uuid"),
        (own, created["taskId"].upper()),
        (own, "{" + created["taskId"] + "}"),
        (own, plain),
    ):
        face.secret = secret
        answer = await asked(face, method, task_id, **more)
        said.append((answer.status_code, json.dumps(answer.json()["error"])))
    face.secret = own
    assert len(set(said)) == 1
    assert said[0][0] == 400
    assert json.loads(said[0][1])["code"] == -32602
    assert (await task(face, created["taskId"]))["status"] == "working"
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)


def held_ticket() -> str | None:
    found = Ticket.objects.filter(waiting="held").first()
    return str(found.uid) if found is not None else None


def another_agent(bridge: Bridge) -> str:
    """A token of a second agent of the same team and owner."""
    agent = Agent.objects.create(
        name="other", team_id=bridge.agent.team_id, owner_id=bridge.agent.owner_id
    )
    return issue_token(actor="system:test", agent=agent).secret


async def test_a_task_of_another_upstream_is_unknown_at_an_endpoint_of_one(
    face: ServedFace,
) -> None:
    created = await called(face)
    params = with_tasks({"taskId": created["taskId"]})
    headers = face.headers(
        mcp_protocol_version=MODERN, mcp_method="tasks/get", mcp_name=created["taskId"]
    )
    codes = []
    for path in ("/mcp/u/elsewhere", "/mcp/u/witness"):
        answer = await face.post(modern_body("tasks/get", params), path=path, headers=headers)
        codes.append(answer.status_code)
    assert codes == [400, 200]


async def test_a_task_can_be_asked_for_until_its_outcome_is_no_longer_kept(
    face: ServedFace, settings: Any
) -> None:
    created = await called(face)
    assert created["ttlMs"] > 3600 * 1000
    await asked(face, "tasks/cancel", created["taskId"])
    settings.APPROVALS_RETENTION_DAYS = 1e-9
    answer = await asked(face, "tasks/get", created["taskId"])
    assert answer.json()["error"]["code"] == -32602


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_without_the_extension_declared_in_the_request_tasks_are_refused(
    face: ServedFace, method: str
) -> None:
    created = await called(face)
    answer = await face.modern(method, {"taskId": created["taskId"], "inputResponses": {}})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == -32021
    assert error["data"] == {
        "requiredCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    }
    assert (await task(face, created["taskId"]))["status"] == "working"


@pytest.mark.parametrize("named", [None, "another", "=?base64?%?="])
@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel"])
async def test_a_header_that_names_another_task_is_refused(
    face: ServedFace, method: str, named: str | None
) -> None:
    created = await called(face)
    headers = face.headers(mcp_protocol_version=MODERN, mcp_method=method)
    if named is not None:
        headers["mcp-name"] = named
    body = modern_body(method, with_tasks({"taskId": created["taskId"]}))
    answer = await face.post(body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32020
    assert (await task(face, created["taskId"]))["status"] == "working"


async def test_older_revisions_know_no_tasks(face: ServedFace) -> None:
    async with face.agent("legacy") as agent:
        assert agent.server_capabilities.extensions is None
        assert agent.server_capabilities.tasks is None


@pytest.mark.parametrize("method", ["tasks/result", "tasks/list"])
async def test_methods_that_tasks_no_longer_have_do_not_exist(
    face: ServedFace, method: str
) -> None:
    answer = await asked(face, method, str(uuid4()))
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == -32601


# -- watching -------------------------------------------------------------------------------------


async def test_a_watched_task_tells_its_state_and_then_each_change(
    face: ServedFace, bridge: Bridge
) -> None:
    created = await called(face)
    watched = WatchedTasks(face.face.waiters, agent_id=bridge.agent.pk, upstream=None)
    ids = [created["taskId"], str(uuid4()), "x"]
    assert await watched.watch(ids) == [created["taskId"]]
    changes = watched.changes()
    assert (await asyncio.wait_for(anext(changes), PATIENCE))["status"] == "working"
    await decide(await open_ticket(), bridge.cast.bob, "reject", "no")
    over = await asyncio.wait_for(anext(changes), PATIENCE)
    assert over["status"] == "completed"
    assert over == {
        key: value
        for key, value in (await task(face, created["taskId"])).items()
        if key not in {"resultType", "_meta"}
    }
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(changes), PATIENCE)
    assert len(face.face.waiters) == 0


async def test_another_agents_task_cannot_be_watched(face: ServedFace, bridge: Bridge) -> None:
    created = await called(face)
    for agent_id, upstream in ((uuid4(), None), (bridge.agent.pk, "elsewhere")):
        watched = WatchedTasks(face.face.waiters, agent_id=agent_id, upstream=upstream)
        assert await watched.watch([created["taskId"]]) == []
    assert len(face.face.waiters) == 0


async def test_who_stops_watching_leaves_nothing_behind(face: ServedFace, bridge: Bridge) -> None:
    created = await called(face)
    watched = WatchedTasks(face.face.waiters, agent_id=bridge.agent.pk, upstream=None)
    await watched.watch([created["taskId"]])
    watched.stop()
    assert [change async for change in watched.changes()] == []
    assert len(face.face.waiters) == 0


async def heard(lines: Any) -> dict[str, Any]:
    """The next notification of a stream."""
    async with asyncio.timeout(PATIENCE):
        async for line in lines:
            if line.startswith("data:"):
                return json.loads(line.removeprefix("data:"))
    raise AssertionError("the stream ended")


def listening(face: ServedFace, http: httpx2.AsyncClient, params: dict[str, Any]) -> Any:
    headers = face.headers(mcp_protocol_version=MODERN, mcp_method="subscriptions/listen")
    body = json.dumps(modern_body("subscriptions/listen", params))
    return http.stream("POST", face.origin + "/mcp", content=body, headers=headers)


async def test_a_listening_client_hears_of_its_own_tasks_and_of_no_others(
    face: ServedFace, bridge: Bridge
) -> None:
    created = await called(face)
    own, face.secret = face.secret, await in_database(another_agent, bridge)
    foreign = await called(face)
    face.secret = own
    ids = [created["taskId"], foreign["taskId"], str(uuid4())]
    wanted = with_tasks({"notifications": {"taskIds": ids}})
    async with http_client(timeout=20) as http, listening(face, http, wanted) as stream:
        lines = stream.aiter_lines()
        acknowledged = await heard(lines)
        assert acknowledged["params"]["notifications"]["taskIds"] == [created["taskId"]]
        first = await heard(lines)
        assert (first["method"], first["params"]["status"]) == ("notifications/tasks", "working")
        for ticket in await in_database(lambda: list(Ticket.objects.filter(ended_at=None))):
            await decide(ticket, bridge.cast.bob, "reject", "no")
        over = await heard(lines)
    assert over["params"]["taskId"] == created["taskId"]
    assert over["params"]["status"] == "completed"
    assert "Rejected" in over["params"]["result"]["content"][0]["text"]
    await eventually_async(lambda: len(face.face.waiters) == 0)


async def test_without_the_extension_nobody_hears_of_tasks(face: ServedFace) -> None:
    created = await called(face)
    wanted = {"notifications": {"taskIds": [created["taskId"]]}}
    answer = await face.modern("subscriptions/listen", wanted)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32021
    assert len(face.face.waiters) == 0
