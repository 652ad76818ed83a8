"""Upstreams of the older transport: one event stream back, posts out, at one origin only."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from yarl import URL

from mcpbridge.upstream.client import UpstreamPool
from mcpbridge.upstream.client.event_stream import endpoint_of
from mcpbridge.upstream.client.flight import ExchangeFailed, stop
from mcpbridge.upstream.client.http_sse import SseSession
from mcpbridge.upstream.errors import NothingSent, OutcomeUnknown, Unknown, UpstreamUnavailable
from mcpbridge.upstream.questions import Answer, Asking
from mcpbridge.upstream.replies import ToolResult, ToolRpcError
from mcpbridge.upstream.spec import Caps, UpstreamSpec
from tests.mcpbridge.upstream.test_http_hostile import HASTE, OK, PATIENT, http_json
from tests.mcpbridge.upstream.test_real_servers import SdkServer
from tests.support.waiting import PATIENCE
from tests.support.witness.core import basics, reply

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
OPEN = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


class SseServer:
    """Shakes hands properly; each `tools/call` goes to a function of the test.

    The function gets (message, stream, post): writers of the event stream and of the response.
    """

    def __init__(self, on_call, *, endpoint="/post?sid=1", opening=OPEN) -> None:
        self.on_call, self.endpoint, self.opening = on_call, endpoint, opening
        self.calls: list[dict] = []
        self.heads: list[str] = []
        self.bodies: list[dict] = []
        self.streams: list[asyncio.StreamWriter] = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/sse"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self._server.close_clients()
        await self._server.wait_closed()

    async def _serve(self, reader, writer) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                length = next(
                    (
                        int(line.partition(":")[2])
                        for line in head.lower().split("\r\n")
                        if line.startswith("content-length:")
                    ),
                    0,
                )
                body = await reader.readexactly(length)
                if head.startswith("GET /sse"):
                    self.streams.append(writer)
                    writer.write(self.opening)
                    if self.endpoint is not None:
                        writer.write(f"event: endpoint\ndata: {self.endpoint}\n\n".encode())
                    await reader.read()
                    return
                if not head.startswith("POST /post"):
                    writer.write(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")
                    continue
                await self._posted(json.loads(body), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _posted(self, message, post) -> None:
        self.bodies.append(message)
        stream = self.streams[-1]
        if message.get("method") == "tools/call":
            self.calls.append(message)
            await self.on_call(message, stream, post)
            return
        post.write(ACCEPTED)
        if "id" in message and "method" in message:
            outcome = basics(message["method"], message.get("params", {}), "legacy")
            stream.write(event(reply(message["id"], outcome)))


def event(message) -> bytes:
    return b"event: message\ndata: " + json.dumps(message).encode() + b"\n\n"


def spec_for(url: str, **changes) -> UpstreamSpec:
    settings = {
        "id": "u",
        "name": "older",
        "transport": "sse",
        "url": url,
        "allow_private_addresses": True,
        "timeouts": PATIENT,
    }
    return UpstreamSpec(**(settings | changes))


async def call(pool, server, *, timeouts=None, **changes):
    session = await pool.session(spec_for(server.url, **changes))
    return await session.call_tool(name="echo", arguments=b'{"text":"x"}', timeouts=timeouts)


async def properly(message, stream, post):
    post.write(ACCEPTED)
    stream.write(event(reply(message["id"], OK)))


async def answer_before_acceptance(message, stream, post):
    stream.write(event(reply(message["id"], OK)))
    await stream.drain()
    await asyncio.sleep(0.05)
    post.write(ACCEPTED)


@pytest.mark.parametrize("how", [properly, answer_before_acceptance])
@pytest.mark.parametrize("transport", ["sse", "http"])
async def test_an_answer_comes_back_on_the_stream(pool, how, transport):
    """With `http` the transport is found out as the specification says."""
    async with SseServer(how) as server:
        answer = await call(pool, server, transport=transport)
        assert isinstance(answer, ToolResult)
        session = await pool.session(spec_for(server.url, transport=transport))
        assert isinstance(session, SseSession)
        assert session.era == "legacy"
        assert len(await session.list_tools()) > 5
        assert len(server.streams) == 1


async def test_the_credential_goes_with_the_stream_and_with_every_post(pool):
    async with SseServer(properly) as server:
        await call(pool, server, headers={"Authorization": "Bearer s3cret"})
        assert len(server.heads) > 3
        assert all("Authorization: Bearer s3cret" in head for head in server.heads)


async def test_progress_and_side_questions_are_told_apart(pool):
    async def chatty(message, stream, post):
        post.write(ACCEPTED)
        token = message["params"]["_meta"]["progressToken"]
        for step, of in ((1, token), (2, 999)):
            params = {"progressToken": of, "progress": step}
            stream.write(
                event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
            )
        stream.write(event({"jsonrpc": "2.0", "id": "q", "method": "ping"}))
        stream.write(event({"jsonrpc": "2.0", "id": "r", "method": "roots/list"}))
        stream.write(event(reply(message["id"], OK)))

    seen = []
    async with SseServer(chatty) as server:
        session = await pool.session(spec_for(server.url))
        await session.call_tool(name="echo", arguments=b"{}", on_progress=seen.append)
        assert [step.progress for step in seen] == [1]
        async with asyncio.timeout(PATIENCE):
            while len([body for body in server.bodies if "method" not in body]) < 2:
                await asyncio.sleep(0.01)
        said = {body["id"]: body for body in server.bodies if "method" not in body}
        assert said["q"]["result"] == {}
        assert said["r"]["error"]["code"] == -32601


async def test_a_list_that_is_read_meanwhile_leaves_a_question_to_the_one_call(pool):
    """A refused answer would let the call end otherwise than directly, by chance."""
    reading = asyncio.Event()

    async def asks_first(message, stream, post):
        post.write(ACCEPTED)
        stream.write(event({"jsonrpc": "2.0", "id": "r", "method": "roots/list"}))

    class SlowToList(SseServer):
        async def _posted(self, message, post) -> None:
            if message.get("method") == "tools/list":
                reading.set()
                post.write(ACCEPTED)
                return
            await super()._posted(message, post)
            if message.get("id") == "r":
                self.streams[-1].write(event(reply(self.calls[-1]["id"], OK)))

    async def places(_question):
        return Answer(result={"roots": []})

    async with SlowToList(asks_first) as server:
        session = await pool.session(spec_for(server.url))
        listing = asyncio.create_task(session.list_tools())
        async with asyncio.timeout(10):
            await reading.wait()
        await session.call_tool(name="echo", arguments=b"{}", asking=Asking(answer=places))
        [answer] = [body for body in server.bodies if body.get("id") == "r"]
        assert answer["result"] == {"roots": []}
        await stop(listing)


async def stay_silent(message, stream, post):
    post.write(ACCEPTED)


async def never_accept(message, stream, post):
    await asyncio.sleep(30)


async def end_the_stream(message, stream, post):
    post.write(ACCEPTED)
    stream.close()


async def answer_never_asked(message, stream, post):
    post.write(ACCEPTED)
    stream.write(event(reply(message["id"] + 7, OK)))


async def answer_as_text(message, stream, post):
    post.write(ACCEPTED)
    stream.write(event(reply(str(message["id"]), OK)))


async def not_json(message, stream, post):
    post.write(ACCEPTED)
    stream.write(b"data: {broken\n\n")


async def endless_event(message, stream, post):
    post.write(ACCEPTED)
    stream.write(b"data: ")
    for _ in range(60):
        stream.write(b"x" * 65536)
        await stream.drain()


async def endless_comments(message, stream, post):
    post.write(ACCEPTED)
    for _ in range(60):
        stream.write(b": ping\n\n" * 8192)
        await stream.drain()


async def endless_notifications(message, stream, post):
    post.write(ACCEPTED)
    note = event({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
    for _ in range(200):
        stream.write(note * 100)
        await stream.drain()


async def refused_by_a_proxy(message, stream, post):
    post.write(http_json({}, "502 Bad Gateway"))


@pytest.mark.parametrize(
    ("misbehaviour", "reason"),
    [
        (stay_silent, Unknown.TIMEOUT),
        (never_accept, Unknown.TIMEOUT),
        (end_the_stream, Unknown.EOF),
        (answer_never_asked, Unknown.WRONG_ID),
        (answer_as_text, Unknown.WRONG_ID),
        (not_json, Unknown.MALFORMED),
        (endless_event, Unknown.OVERSIZE),
        (endless_comments, Unknown.OVERSIZE),
        (endless_notifications, Unknown.OVERSIZE),
        (refused_by_a_proxy, Unknown.MALFORMED),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
async def test_a_broken_answer_means_outcome_unknown_and_the_call_is_posted_once(
    pool, misbehaviour, reason
):
    async with SseServer(misbehaviour) as server:
        haste = HASTE if reason is Unknown.TIMEOUT else None
        with pytest.raises(OutcomeUnknown) as caught:
            await call(pool, server, timeouts=haste, caps=Caps(result_bytes=500_000))
        assert caught.value.reason is reason
        assert len(server.calls) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429])
async def test_a_post_refused_by_http_status_is_a_definite_answer(pool, status):
    async def refuse(message, stream, post):
        post.write(http_json(b"no", f"{status} No"))

    async with SseServer(refuse) as server:
        answer = await call(pool, server)
        assert isinstance(answer, ToolRpcError)
        assert f"HTTP status {status}" in answer.message


async def test_an_answer_that_comes_again_or_late_hurts_nobody(pool):
    async def twice(message, stream, post):
        post.write(ACCEPTED)
        stream.write(event(reply(message["id"], OK)) * 2)
        stream.write(event(reply(1, OK)))

    async with SseServer(twice) as server:
        session = await pool.session(spec_for(server.url))
        for _ in range(3):
            assert isinstance(await session.call_tool(name="echo", arguments=b"{}"), ToolResult)
        assert session.usable


async def test_an_answer_before_its_request_ends_the_session(pool):
    """The next id is easily guessed: what nobody was asked yet is no answer."""

    async def foresee(message, stream, post):
        post.write(ACCEPTED)
        stream.write(event(reply(message["id"], OK)))
        stream.write(event(reply(message["id"] + 1, OK)))

    async with SseServer(foresee) as server:
        session = await pool.session(spec_for(server.url))
        await session.call_tool(name="echo", arguments=b"{}")
        async with asyncio.timeout(PATIENCE):
            while session.usable:
                await asyncio.sleep(0.01)
        with pytest.raises(NothingSent):
            await session.call_tool(name="echo", arguments=b"{}")
        assert len(server.calls) == 1


async def test_a_stream_that_ended_is_opened_anew_for_the_next_call(pool):
    async with SseServer(end_the_stream) as server:
        with pytest.raises(OutcomeUnknown):
            await call(pool, server)
        server.on_call = properly
        assert isinstance(await call(pool, server), ToolResult)
        assert len(server.streams) == 2


async def test_an_abort_is_told_to_the_server(pool):
    abort = asyncio.Event()

    async def accept_what_is_aborted_then(message, stream, post):
        post.write(ACCEPTED)
        abort.set()

    async with SseServer(accept_what_is_aborted_then) as server:
        session = await pool.session(spec_for(server.url))
        with pytest.raises(OutcomeUnknown) as caught:
            await session.call_tool(name="echo", arguments=b"{}", abort=abort)
        assert caught.value.reason is Unknown.ABORTED
        async with asyncio.timeout(PATIENCE):
            while server.bodies[-1].get("method") != "notifications/cancelled":
                await asyncio.sleep(0.01)
        assert server.bodies[-1]["params"]["requestId"] == server.calls[0]["id"]


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://169.254.169.254/latest",
        "https://127.0.0.1/post",
        "//evil.example/post",
        "http://127.0.0.1:1/post",
        "http://user:secret@{here}/post",
        "http://{here}@evil.example/post",
        "\\\\evil.example/post",
        "ftp://{here}/post",
        "javascript:alert(1)",
        "/a b",
        "/" + "x" * 3000,
        "http://[::1/post",
    ],
)
async def test_an_endpoint_outside_the_origin_is_refused_and_nothing_is_posted(pool, endpoint):
    async with SseServer(properly) as server:
        server.endpoint = endpoint.replace("{here}", f"127.0.0.1:{server.port}")
        with pytest.raises(UpstreamUnavailable, match="not within its own origin"):
            await pool.session(spec_for(server.url))
        assert server.bodies == []


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (b"/messages?sid=1", "http://a.test:8080/messages?sid=1"),
        (b"messages", "http://a.test:8080/mcp/messages"),
        (b"?sid=1", "http://a.test:8080/mcp/sse?sid=1"),
        (b"http://A.test:8080/m#x", "http://a.test:8080/m"),
    ],
)
def test_an_endpoint_is_read_relative_to_the_address(said, meant):
    assert str(endpoint_of(URL("http://a.test:8080/mcp/sse"), said)) == meant


def test_the_default_port_is_the_same_origin():
    assert endpoint_of(URL("https://a.test/sse"), b"https://a.test:443/m").path == "/m"
    with pytest.raises(ExchangeFailed):
        endpoint_of(URL("https://a.test/sse"), b"http://a.test:443/m")


@pytest.mark.parametrize(
    ("opening", "words"),
    [
        (OPEN + b"data: {}\n\n", "naming its endpoint"),
        (OPEN.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"), "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n", "text/html"),
        (b"HTTP/1.1 307 See\r\nLocation: http://169.254.169.254/\r\n\r\n", "not followed"),
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "credential"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "status 500"),
        (OPEN, "in time"),
        (OPEN + b": x" * 400_000, "exceeds"),
    ],
)
async def test_a_stream_that_does_not_open_properly_is_unavailable(pool, opening, words):
    patience = replace(HASTE, connect=1) if words == "in time" else PATIENT
    async with SseServer(properly, endpoint=None, opening=opening) as server:
        with pytest.raises(UpstreamUnavailable, match=words):
            await pool.session(
                spec_for(server.url, timeouts=patience, caps=Caps(result_bytes=500_000))
            )


async def test_a_server_of_neither_transport_says_so(pool):
    async with SseServer(properly, opening=b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n") as s:
        with pytest.raises(UpstreamUnavailable, match="older HTTP\\+SSE"):
            await pool.session(spec_for(s.url, transport="http"))


async def test_the_stream_and_the_posts_keep_to_the_address_rules():
    pool = UpstreamPool()
    async with SseServer(properly) as server:
        with pytest.raises(UpstreamUnavailable, match="loopback"):
            await pool.session(spec_for(server.url, allow_private_addresses=False))
        assert server.heads == []
    await pool.close()


class OlderSdkServer(SdkServer):
    """The official SDK's server behind its own HTTP+SSE transport."""

    def __init__(self) -> None:
        super().__init__(era="legacy", json_response=False)
        self._lowlevel = Server("sdk", on_list_tools=self._tools, on_call_tool=self._call)
        self._transport = SseServerTransport("/messages/")

    async def _gate(self, scope, receive, send):
        if scope["type"] != "http":
            return
        if scope["path"].startswith("/messages/"):
            await self._transport.handle_post_message(scope, receive, send)
        elif scope["method"] != "GET":
            await send({"type": "http.response.start", "status": 405, "headers": []})
            await send({"type": "http.response.body"})
        else:
            async with self._transport.connect_sse(scope, receive, send) as (reading, writing):
                options = self._lowlevel.create_initialization_options()
                await self._lowlevel.run(reading, writing, options)


@pytest.mark.parametrize("transport", ["sse", "http"])
async def test_the_official_sdk_understands_us_over_its_older_transport(pool, transport):
    async with OlderSdkServer() as server:
        spec = UpstreamSpec(
            id="sdk",
            name="sdk",
            transport=transport,
            url=server.url,
            allow_private_addresses=True,
        )
        session = await pool.session(spec)
        assert session.server_info["name"] == "sdk"
        assert [tool["name"] for tool in await session.list_tools()] == ["echo"]
        answers = await asyncio.gather(
            *(
                session.call_tool(name="echo", arguments=json.dumps({"n": n}).encode())
                for n in range(20)
            )
        )
        assert [answer.result["content"][0]["text"] for answer in answers] == [
            json.dumps({"n": n}) for n in range(20)
        ]
        seen = []
        await session.call_tool(name="progress", arguments=b"{}", on_progress=seen.append)
        assert [step.progress for step in seen] == [0, 1, 2]
        await pool.close()
