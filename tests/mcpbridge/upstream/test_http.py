"""Streamable HTTP against a recording upstream, in both eras and both answer formats."""

from __future__ import annotations

import asyncio
import json

import pytest

from mcpbridge.upstream.client import LateReply, Progress, UpstreamPool
from mcpbridge.upstream.errors import (
    NothingSent,
    OutcomeUnknown,
    RequestFailed,
    Unknown,
    UpstreamUnavailable,
)
from mcpbridge.upstream.replies import ToolResult, ToolRpcError
from mcpbridge.upstream.spec import Caps, Timeouts, UpstreamSpec
from tests.support.waiting import PATIENCE
from tests.support.witness import calls
from tests.support.witness.core import TOOLS
from tests.support.witness.over_http import HttpWitness


def http_spec(url: str, **changes) -> UpstreamSpec:
    return UpstreamSpec(
        **(
            {"id": "u1", "name": "witness", "transport": "http", "url": url}
            | {"allow_private_addresses": True}
            | changes
        )
    )


@pytest.fixture(params=["modern json", "modern sse", "legacy json", "legacy sse"])
async def witness(request, tmp_path):
    era, answers = request.param.split()
    made = HttpWitness(tmp_path, era="both" if era == "modern" else era, answers=answers)
    made.url = await made.start()
    made.expected_era = era
    yield made
    await made.close()


async def test_the_era_is_found_and_all_pages_of_tools_come_unchanged(pool, witness):
    session = await pool.session(http_spec(witness.url))
    assert session.era == witness.expected_era
    assert session.server_info == {"name": "witness", "version": "1"}
    assert await session.list_tools() == TOOLS


async def test_argument_bytes_leave_exactly_as_they_were_given(pool, witness, tmp_path):
    session = await pool.session(http_spec(witness.url))
    arguments = '{"text":"é \\u0000 1e21","z":1e21,"a":[0.1,1.0]}'.encode()
    reply = await session.call_tool(name="echo", arguments=arguments)
    assert isinstance(reply, ToolResult)
    assert reply.result["xKept"] == [1, 2.5]
    (call,) = calls(tmp_path)
    assert '"arguments":' + arguments.decode() in call["body"]
    assert call["era"] == witness.expected_era


async def test_only_trace_context_and_our_own_progress_token_are_forwarded(pool, witness, tmp_path):
    seen: list[Progress] = []
    session = await pool.session(http_spec(witness.url))
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await session.call_tool(
        name="slow",
        arguments=b'{"seconds":0.2}',
        meta={"traceparent": trace, "progressToken": "the agent's own"},
        on_progress=seen.append,
    )
    (call,) = calls(tmp_path)
    assert call["meta"]["traceparent"] == trace
    assert isinstance(call["meta"]["progressToken"], int)
    assert [step.progress for step in seen] == [0, 1, 2, 3]


async def test_a_tool_error_is_a_result_and_a_rpc_error_is_a_reply(pool, witness):
    session = await pool.session(http_spec(witness.url))
    failed = await session.call_tool(name="fail", arguments=b"{}")
    assert isinstance(failed, ToolResult)
    assert failed.is_error
    refused = await session.call_tool(name="rpc_error", arguments=b"{}")
    assert refused == ToolRpcError(-32602, "no such luck", {"why": "asked for"})


async def test_a_side_question_is_refused_and_counted(pool, witness):
    session = await pool.session(http_spec(witness.url))
    reply = await session.call_tool(name="ask", arguments=b"{}")
    assert isinstance(reply, ToolResult)
    if session.era == "modern":
        assert reply.refused_question
        assert reply.is_error
    else:
        ping, sampling, roots = json.loads(reply.result["content"][0]["text"])
        assert ping["result"] == {}
        assert sampling["error"]["code"] == roots["error"]["code"] == -32601
        assert session.refused_requests == 2


async def test_an_oversize_result_ends_as_unknown(pool, witness):
    spec = http_spec(witness.url, caps=Caps(result_bytes=100_000))
    session = await pool.session(spec)
    small = await session.call_tool(name="big", arguments=b'{"n":90000}')
    assert isinstance(small, ToolResult)
    with pytest.raises(OutcomeUnknown) as caught:
        await session.call_tool(name="big", arguments=b'{"n":400000}')
    assert caught.value.reason is Unknown.OVERSIZE


async def test_too_many_notifications_end_as_unknown(pool, witness):
    session = await pool.session(http_spec(witness.url, caps=Caps(notifications=3)))
    with pytest.raises(OutcomeUnknown) as caught:
        await session.call_tool(name="slow", arguments=b'{"seconds":1}', on_progress=lambda _: None)
    assert caught.value.reason is Unknown.OVERSIZE


async def test_a_call_over_its_total_time_ends_as_unknown(pool, witness):
    session = await pool.session(http_spec(witness.url))
    with pytest.raises(OutcomeUnknown) as caught:
        await session.call_tool(
            name="slow", arguments=b'{"seconds":30}', timeouts=Timeouts(total=1)
        )
    assert caught.value.reason is Unknown.TIMEOUT


async def test_an_abort_tells_the_upstream_in_the_way_of_its_era(witness):
    late: list[LateReply] = []
    pool = UpstreamPool(on_late_reply=late.append)
    session = await pool.session(http_spec(witness.url))
    abort = asyncio.Event()
    with pytest.raises(OutcomeUnknown) as caught:
        await session.call_tool(
            name="slow",
            arguments=b'{"seconds":1.5}',
            on_progress=lambda _: abort.set(),
            abort=abort,
        )
    assert caught.value.reason is Unknown.ABORTED
    wanted = "stream closed" if session.era == "modern" else "notifications/cancelled"
    async with asyncio.timeout(PATIENCE):
        while wanted not in {event["kind"] for event in _events(witness)}:
            await asyncio.sleep(0.02)
        while session.era == "legacy" and not late:
            await asyncio.sleep(0.02)
    if session.era == "legacy":
        assert late[0].reply.result["content"][0]["text"] == "waited 1.5 s"
    await pool.close()


def _events(witness):
    path = witness.record.folder / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def test_an_abort_before_sending_sends_nothing(pool, witness, tmp_path):
    session = await pool.session(http_spec(witness.url))
    abort = asyncio.Event()
    abort.set()
    with pytest.raises(NothingSent):
        await session.call_tool(name="echo", arguments=b'{"text":"x"}', abort=abort)
    assert calls(tmp_path) == []


@pytest.mark.parametrize("arguments", [b"[]", b"{", b'{"a":\n1}', b'{},"name":"other"'])
async def test_arguments_that_are_not_one_object_on_one_line_send_nothing(
    pool, witness, tmp_path, arguments
):
    session = await pool.session(http_spec(witness.url))
    with pytest.raises(NothingSent):
        await session.call_tool(name="echo", arguments=arguments)
    assert calls(tmp_path) == []


async def test_a_session_is_opened_once_for_many_and_reused(pool, witness):
    spec = http_spec(witness.url)
    sessions = await asyncio.gather(*(pool.session(spec) for _ in range(20)))
    assert len({id(session) for session in sessions}) == 1
    kinds = [event["kind"] for event in _events(witness)]
    assert kinds.count("notifications/initialized") == (witness.expected_era == "legacy")


async def test_a_changed_configuration_gets_a_session_of_its_own(pool, witness):
    first = await pool.session(http_spec(witness.url))
    second = await pool.session(http_spec(witness.url, headers={"X-Key": "new"}))
    assert first is not second
    assert await pool.session(http_spec(witness.url, headers={"X-Key": "new"})) is second


async def test_a_lost_legacy_session_is_reopened_but_the_call_is_never_sent_again(pool, tmp_path):
    witness = HttpWitness(tmp_path, era="legacy")
    spec = http_spec(await witness.start())
    session = await pool.session(spec)
    witness.sessions.clear()
    reply = await session.call_tool(name="echo", arguments=b'{"text":"x"}')
    assert isinstance(reply, ToolRpcError)
    assert "HTTP status 404" in reply.message
    assert calls(tmp_path) == []
    again = await pool.session(spec)
    assert again is not session
    assert isinstance(await again.call_tool(name="echo", arguments=b'{"text":"x"}'), ToolResult)
    await pool.close()
    await witness.close()


async def test_headers_mirror_method_name_and_asked_for_parameters(pool, tmp_path):
    witness = HttpWitness(tmp_path, era="modern")
    session = await pool.session(
        http_spec(await witness.start(), headers={"Authorization": "Bearer secret"})
    )
    await session.list_tools()
    await session.call_tool(name="regional", arguments='{"region":"Zürich"}'.encode())
    (call,) = calls(tmp_path)
    assert call["headers"]["mcp-method"] == "tools/call"
    assert call["headers"]["mcp-name"] == "regional"
    assert call["headers"]["mcp-protocol-version"] == "2026-07-28"
    assert call["headers"]["mcp-param-region"] == "=?base64?WsO8cmljaA==?="
    await pool.close()
    await witness.close()


async def test_an_unreachable_upstream_is_unavailable_and_not_tried_again_at_once(pool):
    spec = http_spec("http://127.0.0.1:9/mcp")
    with pytest.raises(UpstreamUnavailable) as first:
        await pool.session(spec)
    with pytest.raises(UpstreamUnavailable) as second:
        await pool.session(spec)
    assert first.value.detail == second.value.detail
    assert 0 < second.value.retry_after <= 0.5


async def test_a_callback_that_fails_does_not_touch_the_call(pool, witness):
    def broken(step):
        raise RuntimeError("not my day")

    session = await pool.session(http_spec(witness.url))
    reply = await session.call_tool(name="slow", arguments=b'{"seconds":0.1}', on_progress=broken)
    assert isinstance(reply, ToolResult)


async def test_too_many_tools_are_refused(pool, witness):
    session = await pool.session(http_spec(witness.url, caps=Caps(tools=7)))
    with pytest.raises(RequestFailed, match="more than 7"):
        await session.list_tools()
