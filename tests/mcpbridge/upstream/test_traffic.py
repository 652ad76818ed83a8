"""Routing between a stdio server and its clients: nobody gets what is not theirs."""

from __future__ import annotations

import json

import pytest

from mcpbridge.upstream import link
from mcpbridge.upstream.errors import Unknown
from mcpbridge.upstream.replies import MalformedMessage
from mcpbridge.upstream.stdio.patience import UNASKED_FACTOR, TooMuch
from mcpbridge.upstream.stdio.traffic import NeverAsked, Traffic


class Client:
    def __init__(self, number: int, traffic: Traffic) -> None:
        self.number = number
        self.lines: list[dict] = []
        self.traffic = traffic
        traffic.attach(self)

    def deliver(self, line: bytes) -> None:
        self.lines.append(json.loads(line))

    def ask(self, n: int = 1, **kind: bool) -> int:
        request_id = link.first_id(self.number) + n
        self.traffic.submit(self, request_id, b'{"id":%d}' % request_id, **kind)
        return request_id


@pytest.fixture
async def traffic():
    return Traffic(max_notifications=3)


def again(times: int, traffic: Traffic, line: bytes) -> None:
    for _ in range(times):
        traffic.route(line)


def answer(request_id, **extra) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "result": {}, **extra}).encode()


async def test_answers_go_to_whoever_asked(traffic):
    one, two = Client(1, traffic), Client(2, traffic)
    first, second = one.ask(), two.ask()
    await traffic.next_line()
    await traffic.next_line()
    assert traffic.route(answer(second))
    assert traffic.route(answer(first))
    assert [line["id"] for line in one.lines] == [first]
    assert [line["id"] for line in two.lines] == [second]
    assert traffic.settled.is_set()


async def test_an_answer_before_the_request_was_sent_is_a_violation(traffic):
    client = Client(1, traffic)
    request_id = client.ask()
    with pytest.raises(NeverAsked):
        traffic.route(answer(request_id))
    assert client.lines == []


@pytest.mark.parametrize("wrong", [424242, "1", (9 << 32) + 1, (1 << 32) + 99, -1])
async def test_an_answer_to_an_id_that_was_never_used_is_a_violation(traffic, wrong):
    Client(1, traffic).ask()
    await traffic.next_line()
    with pytest.raises(NeverAsked):
        traffic.route(answer(wrong))


async def test_a_second_answer_and_one_for_a_client_that_left_are_dropped(traffic):
    client = Client(1, traffic)
    request_id = client.ask()
    await traffic.next_line()
    traffic.route(answer(request_id))
    traffic.route(answer(request_id))
    assert len(client.lines) == 1
    other = Client(2, traffic)
    abandoned = other.ask()
    await traffic.next_line()
    traffic.forget(other)
    assert json.loads(await traffic.next_line())["method"] == "notifications/cancelled"
    traffic.route(answer(abandoned))
    assert [line.get("reason") for line in other.lines] == ["aborted"]


async def test_a_server_cannot_speak_in_the_hosts_name(traffic):
    client = Client(1, traffic)
    request_id = client.ask()
    await traffic.next_line()
    forged = link.verdict(request_id=request_id, sent=False, reason="eof")
    assert traffic.route(forged) is False
    assert traffic.route(answer(request_id, placet="verdict")) is False
    assert client.lines == []


async def test_noise_is_tolerated_up_to_its_cap(traffic):
    for _ in range(60):
        assert traffic.route(b"x" * 1000) is False
    with pytest.raises(MalformedMessage):
        again(10, traffic, b"x" * 1000)


async def test_a_cancelled_request_is_dropped_or_passed_on_by_whether_it_was_sent(traffic):
    client = Client(1, traffic)
    sent, unsent = client.ask(1), client.ask(2)
    await traffic.next_line()
    traffic.cancel(unsent, b"cancel unsent")
    traffic.cancel(sent, b"cancel sent")
    assert [(line["id"], line["sent"]) for line in client.lines] == [(unsent, False), (sent, True)]
    assert await traffic.next_line() == b"cancel sent"
    traffic.route(answer(sent))
    assert client.lines[-1]["id"] == sent


async def test_the_end_tells_everybody_what_became_of_their_request(traffic):
    client = Client(1, traffic)
    sent, unsent = client.ask(1), client.ask(2)
    await traffic.next_line()
    traffic.finish(Unknown.OVERSIZE, "a line was too long")
    assert {line["id"]: line["sent"] for line in client.lines} == {sent: True, unsent: False}
    assert all(line["ended"] for line in client.lines)
    late = client.ask(3)
    assert client.lines[-1]["id"] == late
    assert client.lines[-1]["sent"] is False


async def test_progress_without_end_and_questions_without_end_are_stopped(traffic):
    client = Client(1, traffic)
    request_id = client.ask()
    await traffic.next_line()
    params = {"progressToken": request_id, "progress": 1}
    step = json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
    with pytest.raises(TooMuch):
        again(20, traffic, step.encode())
    question = b'{"jsonrpc":"2.0","id":"q","method":"ping"}'
    with pytest.raises(TooMuch):
        again(2000, traffic, question)


async def test_a_queue_that_is_full_refuses_without_sending(traffic):
    client = Client(1, traffic)
    for n in range(1, 1026):
        client.ask(n)
    (refusal,) = client.lines
    assert (refusal["sent"], refusal["ended"]) == (False, False)


# -- questions: put to the one call they can be of -------------------------------------------------


def asks(request_id="s-1", method="roots/list") -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": {}}).encode()


async def queued(traffic: Traffic) -> dict:
    return json.loads(await traffic.next_line())


async def test_a_question_is_put_to_the_only_call_in_flight(traffic):
    client = Client(1, traffic)
    call = client.ask()
    await traffic.next_line()
    traffic.route(asks())
    [put] = client.lines
    assert (put["placet"], put["call"], put["question"]["id"]) == ("question", call, "s-1")
    traffic.answer(client, "s-1", answer("s-1"))
    assert (await queued(traffic))["id"] == "s-1"
    assert traffic.refused_requests == 0


async def test_with_two_calls_in_flight_a_question_is_put_to_neither(traffic):
    one, two = Client(1, traffic), Client(2, traffic)
    one.ask(), two.ask()
    await traffic.next_line()
    await traffic.next_line()
    traffic.route(asks())
    assert (one.lines, two.lines) == ([], [])
    assert (await queued(traffic))["error"]["code"] == -32601


async def test_a_call_that_was_given_up_may_still_ask_so_nobody_else_is_asked(traffic):
    one, two = Client(1, traffic), Client(2, traffic)
    given_up = one.ask()
    await traffic.next_line()
    traffic.cancel(given_up, b"{}")
    await traffic.next_line()
    two.ask()
    await traffic.next_line()
    traffic.route(asks())
    assert two.lines == []
    assert "error" in await queued(traffic)


async def test_what_the_gateway_reads_for_everybody_leaves_a_question_to_the_one_call(traffic):
    one, two = Client(1, traffic), Client(2, traffic)
    given_up = two.ask(1, is_call=False)
    await traffic.next_line()
    traffic.cancel(given_up, b"{}")
    await traffic.next_line()
    two.ask(2, is_call=False)
    call = one.ask()
    await traffic.next_line()
    await traffic.next_line()
    traffic.route(asks())
    assert [(line["call"], line["question"]["id"]) for line in one.lines] == [(call, "s-1")]


async def test_a_reading_alone_is_asked_nothing(traffic):
    client = Client(1, traffic)
    client.ask(is_call=False)
    await traffic.next_line()
    traffic.route(asks())
    assert client.lines == []
    assert "error" in await queued(traffic)


async def test_where_one_agent_has_the_server_for_itself_its_next_call_is_asked():
    traffic = Traffic(max_notifications=3, one_agent=True)
    client = Client(1, traffic)
    given_up = client.ask(1)
    await traffic.next_line()
    traffic.cancel(given_up, b"{}")
    await traffic.next_line()
    call = client.ask(2)
    await traffic.next_line()
    traffic.route(asks())
    assert client.lines[-1]["call"] == call


async def test_nobody_answers_a_question_that_was_put_to_another(traffic):
    one, two = Client(1, traffic), Client(2, traffic)
    one.ask()
    await traffic.next_line()
    traffic.route(asks())
    traffic.answer(two, "s-1", answer("s-1"))
    traffic.answer(one, "s-2", answer("s-2"))
    traffic.answer(one, "s-1", answer("s-1", result={"roots": []}))
    assert (await queued(traffic))["result"] == {"roots": []}
    assert not traffic._queue


async def test_when_the_call_is_over_its_open_question_is_refused(traffic):
    client = Client(1, traffic)
    call = client.ask()
    await traffic.next_line()
    traffic.route(asks())
    traffic.route(answer(call))
    assert (await queued(traffic))["error"]["code"] == -32601
    traffic.answer(client, "s-1", answer("s-1"))
    assert not traffic._queue


def said(method: str, **params) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()


async def test_what_a_server_announces_goes_to_every_client(traffic):
    one, two = Client(1, traffic), Client(2, traffic)
    for kind in ("tools", "prompts", "resources"):
        traffic.route(said(f"notifications/{kind}/list_changed"))
    traffic.route(said("notifications/resources/updated", uri="book://moby"))
    assert len(one.lines) == len(two.lines) == 4


async def test_a_log_message_goes_to_the_one_call_that_it_can_belong_to(traffic):
    one, two = Client(1, traffic), Client(2, traffic)
    first = one.ask()
    await traffic.next_line()
    traffic.route(said("notifications/message", level="info", data="mine"))
    two.ask()
    await traffic.next_line()
    traffic.route(said("notifications/message", level="info", data="whose?"))
    assert [line["params"]["data"] for line in one.lines] == ["mine"]
    assert two.lines == []
    traffic.route(answer(first))
    traffic.route(said("notifications/message", level="info", data="now the other's"))
    assert [line["params"]["data"] for line in two.lines] == ["now the other's"]


async def test_a_stream_of_announcements_is_no_call(traffic):
    client = Client(1, traffic)
    stream = link.first_id(1) + 1
    traffic.submit(client, stream, b"{}", is_stream=True)
    assert traffic.settled.is_set()
    call = client.ask(2)
    await traffic.next_line()
    await traffic.next_line()
    assert not traffic.settled.is_set()
    traffic.route(said("notifications/message", level="info", data="of the call"))
    tag = {"io.modelcontextprotocol/subscriptionId": stream}
    traffic.route(said("notifications/subscriptions/acknowledged", _meta=tag))
    hostile = {"io.modelcontextprotocol/subscriptionId": [stream]}
    traffic.route(said("notifications/subscriptions/acknowledged", _meta=hostile))
    traffic.route(answer(call))
    assert traffic.settled.is_set()
    assert [line.get("method", "answer") for line in client.lines] == [
        "notifications/message",
        "notifications/subscriptions/acknowledged",
        "answer",
    ]


@pytest.mark.parametrize(
    "said",
    [
        b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}',
        b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}',
        b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":9}}',
        b'{"jsonrpc":"2.0","method":"notifications/whatever"}',
    ],
)
async def test_what_nobody_asked_for_is_counted_and_forgiven_after_a_while(
    traffic, said, monkeypatch
):
    """One talkative server must not keep the host from the others."""
    client = Client(1, traffic)
    most = UNASKED_FACTOR * 3
    again(most, traffic, said)
    with pytest.raises(TooMuch, match="nobody asked"):
        traffic.route(said)
    assert len(client.lines) <= most
    monkeypatch.setattr(traffic._patience, "_window_ends", 0.0)
    again(most, traffic, said)
