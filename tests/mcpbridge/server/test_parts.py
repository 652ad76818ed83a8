"""The small parts of the face: room, exchanges, ids in flight, results and their envelopes."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack, suppress
from typing import Any, cast

import pytest
from mcp.shared.exceptions import MCPError
from uuid6 import uuid7

from mcpbridge.approvals_gateway import State, TicketView
from mcpbridge.calls.limits import Hold, HoldLimits
from mcpbridge.calls.outcome import Executed, Pending, outcome_of
from mcpbridge.calls.tool_call import ClientDeclaration
from mcpbridge.server import edge
from mcpbridge.server.capacity import RESERVE, Capacity
from mcpbridge.server.exchange import Exchange
from mcpbridge.server.inflight import InFlight
from mcpbridge.server.methods.asked import Asked
from mcpbridge.server.methods.subscriptions import _may_watch
from mcpbridge.server.presenters import (
    EVENT_BYTES,
    enveloped,
    failure_result,
    outcome_result,
    too_large_for_an_event,
    tool_list,
)
from mcpbridge.server.rendering import progress_message, style_of
from mcpbridge.server.subscriptions import LONGEST_URI
from mcpbridge.server.tasks import MOST_WATCHED, UnknownTask, WatchedTasks
from mcpbridge.server.waiting import Waiters
from mcpbridge.server.wire import Refused
from tests.mcpbridge.server.support import a_principal, a_ticket, an_exchange

SERVER_INFO = "io.modelcontextprotocol/serverInfo"


# -- room -----------------------------------------------------------------------------------------


def test_descriptors_are_kept_for_people() -> None:
    assert Capacity(limit=lambda: 1024).most == 1024 - RESERVE
    assert Capacity(limit=lambda: 100_000).most == 90_000
    assert Capacity(limit=lambda: 100).most == 16


def test_a_full_process_refuses_and_finds_room_again() -> None:
    room = Capacity(limit=lambda: 0)
    room.in_flight = room.most - 1
    with room.one(), pytest.raises(Refused) as caught, room.one():
        pass
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "5")
    with room.one():
        pass


def test_one_agent_cannot_take_all_the_room_and_its_second_token_helps_nothing() -> None:
    room = Capacity(limit=lambda: 0)
    greedy, other = uuid7(), uuid7()
    held = [room.share(greedy) for _ in range(room.most // 2)]
    for one in held:
        one.__enter__()
    with pytest.raises(Refused) as caught, room.share(greedy):
        pass
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "5")
    with room.share(other):
        pass
    for one in held:
        one.__exit__(None, None, None)
    with room.share(greedy):
        pass
    assert (room._shared, dict(room._by_agent)) == (0, {})


def test_however_many_agents_take_all_they_may_there_is_room_for_one_more() -> None:
    room = Capacity(limit=lambda: 1024)
    with ExitStack() as held:
        for _ in range(8):
            agent = uuid7()
            held.enter_context(room.share(agent))
            with suppress(Refused):
                while True:
                    held.enter_context(room.share(agent))
        assert room.most - 8 < room._shared < room.most
        with room.share(uuid7()):
            pass


# -- exchanges ------------------------------------------------------------------------------------


async def run(exchange: Exchange, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    sending = exchange.sending(send)
    for message in messages:
        await sending(message)
    return sent


def start(kind: bytes) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]}


LAST = {"type": "http.response.body", "body": b"x", "more_body": False}


async def test_the_headers_of_a_stream_are_followed_by_an_empty_chunk() -> None:
    exchange = an_exchange()
    sent = await run(exchange, start(b"text/event-stream; charset=utf-8"))
    assert sent[1] == {"type": "http.response.body", "body": b"", "more_body": True}
    assert exchange.is_stream


async def test_other_responses_are_left_alone() -> None:
    exchange = an_exchange()
    assert len(await run(exchange, start(b"application/json"), LAST)) == 2
    assert not exchange.is_stream


async def test_written_is_told_only_after_the_last_byte_to_a_living_connection() -> None:
    told: list[str] = []
    whole, cut, gone = an_exchange(), an_exchange(), an_exchange()
    for name, exchange in (("whole", whole), ("cut", cut), ("gone", gone)):
        exchange.on_written(lambda name=name: told.append(name))  # type: ignore[misc]
    await run(whole, start(b"application/json"), LAST)
    await run(cut, start(b"application/json"))
    await disconnect(gone)
    await run(gone, start(b"application/json"), LAST)
    for exchange in (whole, cut, gone):
        exchange.responded()
    assert told == ["whole"]


async def disconnect(exchange: Exchange) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    watched = exchange.receiving(receive)
    first = await watched()
    assert first["type"] == "http.request"
    await watched()


async def test_a_disconnect_after_the_response_is_no_leaving() -> None:
    exchange = an_exchange()
    left: list[int] = []
    exchange.on_gone(lambda: left.append(1))
    await run(exchange, start(b"application/json"), LAST)
    await disconnect(exchange)
    assert not exchange.gone
    assert left == []


async def test_who_listens_too_late_still_hears_of_the_leaving() -> None:
    exchange = an_exchange()
    await disconnect(exchange)
    left: list[int] = []
    exchange.on_gone(lambda: left.append(1))
    assert left == [1]


async def test_the_body_is_let_go_of_once_it_was_read() -> None:
    exchange = an_exchange(method="ping")
    assert exchange.arrived.raw == b"{}"
    await disconnect(exchange)
    assert exchange.arrived.raw == b""
    assert exchange.arrived.method == "ping"


# -- ids in flight --------------------------------------------------------------------------------


def test_an_id_is_taken_until_response_and_handler_are_over() -> None:
    flights, exchange = InFlight(), an_exchange()
    flights.begin("s", 7, exchange)
    exchange.enter()
    exchange.responded()
    with pytest.raises(Refused):
        flights.begin("s", "7", an_exchange(exchange.principal))
    exchange.leave()
    flights.begin("s", "7", an_exchange(exchange.principal))


def test_ids_of_other_sessions_and_tokens_are_their_own() -> None:
    flights = InFlight()
    exchange = an_exchange()
    flights.begin("s", 7, exchange)
    flights.begin("t", 7, an_exchange(exchange.principal))
    flights.begin("s", 7, an_exchange())
    stranger = an_exchange()
    flights.cancel("s", 7, reason=None, by=stranger)
    assert not exchange.cancelled
    flights.cancel("s", 7, reason=None, by=an_exchange(exchange.principal))
    assert exchange.cancelled


@pytest.mark.parametrize(
    ("reason", "is_taken_back"),
    [
        ("McpError: MCP error -32001: Request timed out", False),
        ("timed out after 60s", False),
        ("SdkError: Timeout", False),
        ("caller cancelled", True),
        ("the user pressed stop", True),
        ("", True),
        (None, True),
        ({"timed out": 1}, True),
    ],
)
def test_a_cancel_for_lack_of_time_is_told_from_one_that_takes_the_call_back(
    reason: object, is_taken_back: bool
) -> None:
    flights, exchange = InFlight(), an_exchange()
    flights.begin("s", 7, exchange)
    flights.cancel("s", 7, reason=reason, by=an_exchange(exchange.principal))
    assert exchange.cancelled is is_taken_back


# -- results --------------------------------------------------------------------------------------


def test_a_modern_envelope_is_ours_whatever_the_upstream_says() -> None:
    said = {
        "content": [],
        "resultType": "input_required",
        "future": {"kept": None},
        "_meta": {SERVER_INFO: {"name": "evil"}, "theirs": 1},
    }
    told = enveloped(said, is_modern=True, server_info={"name": "placet"})
    assert told["resultType"] == "complete"
    assert told["future"] == {"kept": None}
    assert told["_meta"] == {"theirs": 1, SERVER_INFO: {"name": "placet"}}
    assert said["resultType"] == "input_required"


def test_an_older_envelope_has_no_modern_words() -> None:
    said = {"content": [], "resultType": "complete", "ttlMs": 1, "cacheScope": "private"}
    assert enveloped(said, is_modern=False, server_info=None) == {"content": []}


def test_the_list_ends_with_the_way_to_wait() -> None:
    listed = tool_list([("git__log", {"name": "log", "inputSchema": {}, "future": 1})])
    assert [tool["name"] for tool in listed["tools"]] == ["git__log", "placet__await_ticket"]
    assert listed["tools"][0]["future"] == 1


def test_a_result_that_no_event_carries_is_not_sent_and_says_so() -> None:
    big = {"content": [{"type": "text", "text": "x" * EVENT_BYTES}], "_meta": {"a": 1}}
    told = too_large_for_an_event(big)
    assert told is not None
    assert told["isError"] is True
    assert told["_meta"] == {"a": 1}
    assert "was executed" in told["content"][0]["text"]
    assert len(json.dumps(told)) < 1000
    assert too_large_for_an_event({"content": []}) is None


def test_what_broke_here_claims_no_more_than_is_known() -> None:
    call, wait = failure_result(waited=False), failure_result(waited=True)
    assert "may or may not have been executed" in call["content"][0]["text"]
    assert call["_meta"]["io.modelcontextprotocol/tool-approval-disposition"] == "outcome-unknown"
    assert "placet__await_ticket" in wait["content"][0]["text"]


def test_a_pending_result_is_an_error_only_where_a_schema_demands_it() -> None:
    pending = outcome_of(a_ticket(uuid7()))
    assert isinstance(pending, Pending)
    assert outcome_result(pending, is_modern=False)["isError"] is False
    assert (
        outcome_result(pending, is_modern=False, definition={"outputSchema": {}})["isError"] is True
    )
    executed = Executed(result={"content": [], "structuredContent": {"a": None}})
    assert (
        outcome_result(executed, is_modern=True, definition={"outputSchema": {}}) == executed.result
    )


# -- how a paused call looks ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "own", "token", "seconds"),
    [
        ("claude", None, False, 50.0),
        ("claude", None, True, 240.0),
        ("Hasty", None, True, 4.0),
        ("claude", 7, True, 7.0),
        ("claude", 0, False, 0.0),
    ],
)
def test_the_hold_limit_follows_the_agent_then_the_client(
    client: str, own: int | None, token: bool, seconds: float
) -> None:
    style = style_of(
        ClientDeclaration(protocol_version="2025-11-25", name=client),
        a_principal(hold_seconds=own),
        has_progress_token=token,
        limits=HoldLimits(by_client={"hasty": Hold(without_progress=4.0, with_progress=4.0)}),
    )
    assert style.seconds == seconds
    assert (style.report_every is not None) == token
    assert HoldLimits().progress_every == 10.0


@pytest.mark.parametrize(
    ("state", "words"),
    [("pending", "waiting for approval by repository reviewers (0 of 1"), ("sent", "running")],
)
def test_progress_says_who_is_waited_for_and_where(state: str, words: str) -> None:
    ticket = a_ticket(uuid7(), state=State(state))
    said = progress_message(ticket, public_url="https://placet.test")
    assert words in said
    assert said.endswith(f"https://placet.test/tickets/{ticket.uid}/")


def test_a_group_name_cannot_pose_as_a_second_line() -> None:
    ticket = a_ticket(uuid7(), groups=("ops\r\n\u202eapproved",))
    assert "\n" not in progress_message(ticket, public_url="")


async def test_a_body_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "BODY_SECONDS", 0.05)

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Refused) as caught:
        await edge.read_body([], receive, 10)
    assert caught.value.status == 408


# -- what is kept for as long as a stream ---------------------------------------------------------


async def test_a_uri_that_is_too_long_to_be_kept_is_not_watched() -> None:
    nobody = cast("Asked", None)
    with pytest.raises(MCPError) as caught:
        await _may_watch(nobody, "file:///" + "x" * LONGEST_URI)
    assert caught.value.error.code == -32602


async def test_of_many_tasks_only_so_many_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []

    async def none(task_id: object, **_: Any) -> TicketView:
        looked.append(task_id)
        raise UnknownTask

    monkeypatch.setattr("mcpbridge.server.tasks.find_task", none)
    watched = WatchedTasks(cast("Waiters", None), agent_id=uuid7(), upstream=None)
    assert await watched.watch([str(n) for n in range(100_000)]) == []
    assert len(looked) == MOST_WATCHED
