"""Stdio servers through the host: both eras, misbehaviour, leases, shared state."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from mcpbridge.upstream.client import LateReply, UpstreamPool
from mcpbridge.upstream.errors import NothingSent, OutcomeUnknown, Unknown, UpstreamUnavailable
from mcpbridge.upstream.link import UnusableSocketPath
from mcpbridge.upstream.questions import Answer, Asking, Mode, Question, QuestionPolicy
from mcpbridge.upstream.replies import ToolResult, ToolRpcError
from mcpbridge.upstream.spec import Caps, Timeouts, UpstreamSpec
from mcpbridge.upstream.stdio.host import StdioHost
from mcpbridge.upstream.stdio.socket_file import HostAlreadyRuns
from tests.mcpbridge.upstream.conftest import HostForTests, MemoryLeases
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness.core import TOOLS


def text_of(reply) -> str:
    assert isinstance(reply, ToolResult), reply
    return reply.result["content"][0]["text"]


@pytest.mark.parametrize(("offered", "era"), [("both", "modern"), ("legacy", "legacy")])
async def test_a_call_reaches_the_server_with_its_bytes_unchanged(host, offered, era):
    session = await host.pool.session(host.witness(era=offered))
    assert session.era == era
    assert session.server_info == {"name": "witness", "version": "1"}
    assert await session.list_tools() == TOOLS
    arguments = '{"text":"é \\u0000","z":1e21,"a":[0.1,1.0]}'.encode()
    assert "é" in text_of(await session.call_tool(name="echo", arguments=arguments))
    (call,) = host.calls()
    assert '"arguments":' + arguments.decode() in call["body"]
    assert call["era"] == era


async def test_two_processes_share_one_server_and_its_state(host):
    spec = host.witness()
    other = host.another_pool()
    first, second = await host.pool.session(spec), await other.session(spec)
    counts = [
        text_of(await session.call_tool(name="count", arguments=b"{}"))
        for session in (first, second, first)
    ]
    assert counts == ["1", "2", "3"]
    await other.close()


async def test_per_agent_scope_gives_each_agent_a_server_of_its_own(host):
    spec = host.witness(per_agent_scope=True)
    counts = []
    for scope in ("agent-1", "agent-2", "agent-1"):
        session = await host.pool.session(spec, scope=scope)
        counts.append(text_of(await session.call_tool(name="count", arguments=b"{}")))
    assert counts == ["1", "1", "2"]


async def test_many_calls_at_once_get_their_own_answers(host):
    session = await host.pool.session(host.witness())
    replies = await asyncio.gather(
        *(
            session.call_tool(name="echo", arguments=json.dumps({"text": str(n)}).encode())
            for n in range(50)
        )
    )
    assert [text_of(reply) for reply in replies] == [str(n) for n in range(50)]


async def test_progress_arrives_and_errors_are_replies(host):
    seen = []
    session = await host.pool.session(host.witness())
    await session.call_tool(name="slow", arguments=b'{"seconds":0.1}', on_progress=seen.append)
    assert [step.progress for step in seen] == list(range(10))
    refused = await session.call_tool(name="rpc_error", arguments=b"{}")
    assert refused == ToolRpcError(-32602, "no such luck", {"why": "asked for"})


async def test_the_servers_own_requests_are_refused_but_a_ping_is_answered(host):
    session = await host.pool.session(host.witness(era="legacy"))
    await session.call_tool(name="ask", arguments=b"{}")
    await eventually_async(lambda: sum(event["kind"] == "reply" for event in host.events()) == 2)
    ping, roots = (event["body"] for event in host.events() if event["kind"] == "reply")
    assert ping == {"jsonrpc": "2.0", "id": "w-1", "result": {}}
    assert roots["error"]["code"] == -32601


def asked_roots(heard: list[str], gate: asyncio.Event | None = None) -> Asking:
    async def answer(question: Question) -> Answer:
        heard.append(question.method)
        if gate is not None:
            await gate.wait()
        return Answer(result={"roots": [{"uri": "file:///mine"}]})

    return Asking(answer=answer)


ROOTS_ASKED = QuestionPolicy(roots=Mode.AGENT)
PATIENT = b'{"patient":true}'


async def test_a_question_of_the_only_call_in_flight_is_answered_over_the_link(host):
    heard: list[str] = []
    session = await host.pool.session(host.witness(era="legacy", questions=ROOTS_ASKED))
    reply = await session.call_tool(name="ask", arguments=PATIENT, asking=asked_roots(heard))
    assert json.loads(text_of(reply))["result"] == {"roots": [{"uri": "file:///mine"}]}
    assert heard == ["roots/list"]


async def test_with_two_agents_calls_in_flight_neither_is_asked(host):
    heard: list[str] = []
    spec = host.witness(era="legacy", questions=ROOTS_ASKED)
    session = await host.pool.session(spec)
    other = asyncio.create_task(session.call_tool(name="slow", arguments=b'{"seconds":3}'))
    await eventually_async(host.calls)
    reply = await session.call_tool(name="ask", arguments=PATIENT, asking=asked_roots(heard))
    assert json.loads(text_of(reply))["error"]["code"] == -32601
    assert heard == []
    other.cancel()


async def test_a_call_that_answers_no_questions_has_them_refused_at_once(host):
    session = await host.pool.session(host.witness(era="legacy", questions=ROOTS_ASKED))
    reply = await session.call_tool(name="ask", arguments=PATIENT)
    assert json.loads(text_of(reply))["error"]["code"] == -32601


async def test_waiting_for_an_answer_does_not_use_up_the_upstreams_time(host):
    heard: list[str] = []
    gate = asyncio.Event()
    spec = host.witness(
        era="legacy", questions=ROOTS_ASKED, timeouts=Timeouts(connect=30, first_byte=30, total=2)
    )
    session = await host.pool.session(spec)
    call = asyncio.create_task(
        session.call_tool(name="ask", arguments=PATIENT, asking=asked_roots(heard, gate))
    )
    await eventually_async(lambda: heard)
    await asyncio.wait({call}, timeout=2.5)
    assert not call.done()
    gate.set()
    assert "result" in json.loads(text_of(await call))


@pytest.mark.parametrize(
    ("mischief", "reason"),
    [
        ("crash", Unknown.EOF),
        ("flood", Unknown.MALFORMED),
        ("endless_line", Unknown.OVERSIZE),
        ("wrong_id", Unknown.WRONG_ID),
    ],
)
async def test_misbehaviour_ends_as_unknown_and_the_server_is_restarted(host, mischief, reason):
    spec = host.witness(mischief=mischief, caps=Caps(line_bytes=1 << 20))
    session = await host.pool.session(spec)
    with pytest.raises(OutcomeUnknown) as caught:
        await session.call_tool(name="echo", arguments=b'{"text":"x"}')
    assert caught.value.reason is reason
    assert len(host.calls()) == 1
    again = await host.pool.session(spec)
    assert again is not session
    assert len(await again.list_tools()) == len(TOOLS)


async def test_a_little_noise_on_stdout_is_tolerated(host):
    session = await host.pool.session(host.witness(mischief="garbage"))
    assert text_of(await session.call_tool(name="echo", arguments=b'{"text":"x"}')) == "x"


async def test_a_mute_server_times_out_as_unknown_and_is_told(host):
    session = await host.pool.session(host.witness(mischief="mute"))
    with pytest.raises(OutcomeUnknown) as caught:
        await session.call_tool(name="echo", arguments=b'{"text":"x"}', timeouts=Timeouts(total=1))
    assert caught.value.reason is Unknown.TIMEOUT
    kinds = await eventually_async(
        lambda: {event["kind"] for event in host.events()} & {"notifications/cancelled"}
    )
    assert kinds


async def test_a_call_still_in_the_queue_is_withdrawn_without_being_sent(host):
    session = await host.pool.session(host.witness(era="legacy", mischief="deaf"))
    big = json.dumps({"text": "x" * 3_000_000}).encode()
    blocked = asyncio.create_task(
        session.call_tool(name="echo", arguments=big, timeouts=Timeouts(total=20))
    )
    await asyncio.sleep(0)
    with pytest.raises(NothingSent):
        await session.call_tool(
            name="echo", arguments=b'{"text":"x"}', timeouts=Timeouts(total=0.3)
        )
    blocked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await blocked


async def test_an_abort_cancels_and_a_late_answer_is_kept_as_evidence(host):
    late: list[LateReply] = []
    pool = host.another_pool(on_late_reply=late.append)
    session = await pool.session(host.witness())
    host.record.joinpath("hold").touch()
    abort = asyncio.Event()
    call = asyncio.create_task(
        session.call_tool(name="echo", arguments=b'{"text":"late"}', abort=abort)
    )
    await eventually_async(host.calls)
    abort.set()
    with pytest.raises(OutcomeUnknown) as caught:
        await call
    assert caught.value.reason is Unknown.ABORTED
    host.record.joinpath("hold").unlink()
    await eventually_async(lambda: late)
    assert text_of(late[0].reply) == "late"
    await pool.close()


async def test_a_vanished_host_leaves_calls_under_way_unknown(host):
    session = await host.pool.session(host.witness())
    host.record.joinpath("hold").touch()
    call = asyncio.create_task(session.call_tool(name="echo", arguments=b'{"text":"x"}'))
    await eventually_async(host.calls)
    await host.stop()
    with pytest.raises(OutcomeUnknown) as caught:
        await call
    assert caught.value.reason is Unknown.EOF
    with pytest.raises(NothingSent):
        await session.call_tool(name="echo", arguments=b'{"text":"x"}')


async def test_a_server_that_cannot_start_is_unavailable_with_its_last_words(host):
    spec = host.witness(mischief="crash_at_start")
    with pytest.raises(UpstreamUnavailable, match="the configuration is wrong"):
        await host.pool.session(spec)


async def test_a_command_that_does_not_exist_is_unavailable(host):
    spec = UpstreamSpec(id="w", name="w", transport="stdio", command=("/does/not/exist",))
    host.specs["w"] = spec
    with pytest.raises(UpstreamUnavailable, match="/does/not/exist"):
        await host.pool.session(spec)


async def test_a_lost_lease_ends_the_server_at_once(host):
    session = await host.pool.session(host.witness())
    host.record.joinpath("hold").touch()
    call = asyncio.create_task(session.call_tool(name="echo", arguments=b'{"text":"x"}'))
    await eventually_async(host.calls)
    host.leases.held["w", "shared"] = 999
    with pytest.raises(OutcomeUnknown):
        await asyncio.wait_for(call, PATIENCE)


async def test_an_unreachable_lease_store_ends_the_server_within_the_lease(host):
    session = await host.pool.session(host.witness())
    host.leases.broken = True
    await eventually_async(lambda: not session.usable)
    with pytest.raises(UpstreamUnavailable, match="lease"):
        await host.pool.session(host.specs["w"])


async def test_a_server_owned_by_another_host_is_unavailable(host):
    host.leases.taken_by_others.add("w")
    with pytest.raises(UpstreamUnavailable, match="another host"):
        await host.pool.session(host.witness())


async def test_a_changed_configuration_restarts_the_server_and_a_stale_one_is_refused(host):
    old = host.witness()
    await host.pool.session(old)
    new = replace(old, env={"MODE": "new"})
    host.specs["w"] = new
    session = await host.pool.session(new)
    assert text_of(await session.call_tool(name="count", arguments=b"{}")) == "1"
    assert [event["kind"] for event in host.events()].count("started") == 2
    stale = host.another_pool()
    with pytest.raises(UpstreamUnavailable, match="configuration changed"):
        await stale.session(old)
    await stale.close()


async def test_a_disabled_upstream_loses_its_server(host):
    session = await host.pool.session(host.witness())
    host.specs.clear()
    await eventually_async(lambda: not session.usable)
    assert host.leases.held == {}


async def test_the_environment_is_cleared_and_only_the_profile_is_added(host, monkeypatch):
    monkeypatch.setenv("PLACET_SECRET_KEY", "do not leak")
    spec = host.witness(env={"MODE": "plain"}, secret_env={"API_KEY": "s3cret"})
    await host.pool.session(spec)
    (started,) = [event for event in host.events() if event["kind"] == "started"]
    seen = set(started["environment"]) - {"LC_CTYPE", "PWD", "SHLVL", "_"}
    assert seen == {"PATH", "HOME", "TMPDIR", "LANG", "MODE", "API_KEY"}


async def test_the_socket_is_private_and_a_second_host_is_refused(host):
    assert stat.S_IMODE(Path(host.socket).stat().st_mode) == 0o600
    with pytest.raises(HostAlreadyRuns):
        await host.start()


async def test_nonsense_on_the_socket_is_turned_away(host):
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b'{"placet":"hello"}\n', b"\n", b"x" * 70_000):
        reader, writer = await asyncio.open_unix_connection(host.socket)
        with pytest.MonkeyPatch.context():
            try:
                writer.write(nonsense)
                assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
            except ConnectionError:
                pass
        writer.close()


async def test_whoever_does_not_know_the_installations_secret_gets_no_server(host):
    """A server that runs under Placet's own account may be able to reach the socket."""
    spec = host.witness()
    for secret in (b"", b"a guess that is long enough"):
        stranger = UpstreamPool(stdio_socket=host.socket, stdio_secret=secret)
        with pytest.raises(UpstreamUnavailable, match="did not answer the greeting"):
            await stranger.session(spec)
        await stranger.close()
    assert host.events() == []


async def test_a_program_in_the_hosts_place_is_not_given_a_call(short_folder):
    """It can listen on the path, but it cannot prove that it is the host."""
    seen = []

    async def imitate(reader, writer):
        seen.append(json.loads(await reader.readline()))
        welcome = {"placet": "welcome", "link": 1, "era": "legacy", "protocolVersion": "x"}
        welcome |= {"serverInfo": {}, "capabilities": {}, "sandbox": "bubblewrap", "fence": 1}
        writer.write(json.dumps(welcome | {"proof": seen[-1]["proof"]}).encode() + b"\n")
        await reader.read()
        writer.close()

    path = str(short_folder / "host.sock")
    server = await asyncio.start_unix_server(imitate, path)
    pool = HostForTests(short_folder).another_pool()
    spec = UpstreamSpec(id="w", name="w", transport="stdio", command=("true",))
    with pytest.raises(UpstreamUnavailable, match="in place of the stdio host"):
        await pool.session(spec)
    assert len(seen) == 1
    await pool.close()
    server.close()
    await server.wait_closed()


def test_a_host_without_a_secret_does_not_start(short_folder):
    with pytest.raises(ValueError, match="secret"):
        StdioHost(
            socket_path=str(short_folder / "host.sock"),
            secret=b"",
            data_folder=str(short_folder),
            source=HostForTests(short_folder).source,
            leases=MemoryLeases(),
        )


async def test_a_client_may_not_use_ids_of_another_or_methods_outside_the_list(host):
    spec = host.witness()
    for line in (
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {}},
        {"jsonrpc": "2.0", "id": (1 << 32) + 1, "method": "initialize", "params": {}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ):
        pool = host.another_pool()
        session = await pool.session(spec)
        session._writer.write(json.dumps(line).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            await session._listening
        assert not session.usable
        await pool.close()
    assert host.calls() == []


async def test_a_socket_path_that_is_too_long_is_named(tmp_path):
    pool = UpstreamPool(stdio_socket=str(tmp_path / ("x" * 120)))
    spec = UpstreamSpec(id="w", name="w", transport="stdio", command=("true",))
    with pytest.raises(UpstreamUnavailable):
        await pool.session(spec)
    await pool.close()


async def test_a_stale_socket_file_does_not_matter(short_folder):
    leftover = socket.socket(socket.AF_UNIX)
    leftover.bind(str(short_folder / "host.sock"))
    leftover.close()
    host = HostForTests(short_folder)
    await host.start()
    await host.pool.session(host.witness())
    await host.stop()


@pytest.mark.parametrize("mode", [0o777, 0o770])
async def test_a_socket_folder_that_others_can_write_to_is_refused(short_folder, mode):
    short_folder.chmod(mode)
    host = HostForTests(short_folder)
    with pytest.raises(UnusableSocketPath, match="nobody else"):
        await host.start()
    await host.stop()


async def test_a_late_answer_also_goes_to_whoever_made_the_call(host):
    late = []
    session = await host.pool.session(host.witness())
    host.record.joinpath("hold").touch()
    with pytest.raises(OutcomeUnknown):
        await session.call_tool(
            name="echo",
            arguments=b'{"text":"late"}',
            timeouts=Timeouts(total=1),
            on_late_reply=late.append,
        )
    host.record.joinpath("hold").unlink()
    await eventually_async(lambda: late)
    assert text_of(late[0]) == "late"


async def test_scratch_folders_of_a_killed_host_are_removed_at_the_next_start(short_folder):
    leftover = short_folder / "host.sock.scratch" / "old"
    leftover.mkdir(parents=True)
    host = HostForTests(short_folder)
    await host.start()
    assert not leftover.exists()
    await host.pool.session(host.witness())
    assert len(list(leftover.parent.iterdir())) == 1
    await host.stop()
    assert list(leftover.parent.iterdir()) == []
