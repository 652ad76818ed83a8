"""Upstreams that break the rules over HTTP: what is known about the call, and who may be asked."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket

import pytest

from mcpbridge.upstream.client import UpstreamPool
from mcpbridge.upstream.errors import NothingSent, OutcomeUnknown, Unknown, UpstreamUnavailable
from mcpbridge.upstream.replies import ToolResult, ToolRpcError
from mcpbridge.upstream.spec import Caps, Timeouts, UpstreamSpec
from tests.support.witness.core import basics, reply

PATIENT = Timeouts(connect=10, first_byte=20, total=30)
HASTE = Timeouts(connect=10, first_byte=0.8, total=1.2)  # for the calls that nobody answers
OK = {"content": [{"type": "text", "text": "done"}], "resultType": "complete"}
BOMB = gzip.compress(b" " * 50_000_000)
SSE = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"


class RawServer:
    """Answers the handshake properly and hands each `tools/call` to a function of the test."""

    def __init__(self, on_call, *, era="modern", on_get=None) -> None:
        self.on_call, self.on_get, self.era = on_call, on_get, era
        self.calls: list[dict] = []
        self.requests: list[str] = []
        self.replies: asyncio.Queue[dict] = asyncio.Queue()
        self.redirect: str | None = None

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self._server.close_clients()
        await self._server.wait_closed()

    async def _serve(self, reader, writer) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests.append(head)
                length = 0
                for line in head.lower().split("\r\n"):
                    if line.startswith("content-length:"):
                        length = int(line.partition(":")[2])
                body = await reader.readexactly(length)
                if head.startswith("GET"):
                    await self.on_get(head, writer)
                    return
                if self.redirect is not None:
                    target = f"Location: {self.redirect}\r\n"
                    writer.write(http_json({}, "308 Permanent Redirect", target))
                    continue
                message = json.loads(body)
                if "method" not in message:
                    self.replies.put_nowait(message)
                    writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                    continue
                if message.get("method") == "tools/call":
                    self.calls.append(message)
                    await self.on_call(message, writer)
                    return
                if "id" not in message:
                    writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                    continue
                outcome = basics(message["method"], message.get("params", {}), self.era)
                writer.write(http_json(reply(message["id"], outcome)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def http_json(value, status="200 OK", extra="") -> bytes:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{extra}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def spec_for(url: str, **changes) -> UpstreamSpec:
    settings = {
        "id": "u",
        "name": "hostile",
        "transport": "http",
        "url": url,
        "allow_private_addresses": True,
        "timeouts": PATIENT,
    }
    return UpstreamSpec(**(settings | changes))


async def call(pool, server, *, timeouts=None, **changes):
    session = await pool.session(spec_for(server.url, **changes))
    return await session.call_tool(name="echo", arguments=b'{"text":"x"}', timeouts=timeouts)


async def hang_before_headers(message, writer):
    await asyncio.sleep(30)


async def hang_after_headers(message, writer):
    writer.write(SSE.encode() + b"\r\n")
    await asyncio.sleep(30)


async def hang_in_body(message, writer):
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    )
    await asyncio.sleep(30)


async def eof_before_headers(message, writer):
    writer.close()


async def eof_in_body(message, writer):
    writer.write(http_json(reply(message["id"], OK))[:-5])


async def eof_in_stream(message, writer):
    writer.write(SSE.encode() + b"\r\ndata: {\n")


async def wrong_id(message, writer):
    writer.write(http_json(reply(message["id"] + 1, OK)))


async def wrong_id_type(message, writer):
    writer.write(http_json(reply(str(message["id"]), OK)))


async def wrong_id_in_stream(message, writer):
    writer.write(SSE.encode() + b"\r\ndata: " + json.dumps(reply(0, OK)).encode() + b"\n\n")


async def not_json(message, writer):
    writer.write(http_json(b"{broken"))


async def infinite_number(message, writer):
    writer.write(http_json(b'{"jsonrpc":"2.0","id":%d,"result":{"n":1e999}}' % message["id"]))


async def deep_nesting(message, writer):
    writer.write(http_json(b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 200_000))


async def result_is_a_list(message, writer):
    writer.write(http_json({"jsonrpc": "2.0", "id": message["id"], "result": []}))


async def unknown_result_type(message, writer):
    writer.write(http_json(reply(message["id"], {"resultType": "task", "task": {}})))


async def html(message, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")


async def accepted(message, writer):
    writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")


async def server_error(message, writer):
    writer.write(http_json({"oops": 1}, "500 Internal Server Error"))


async def redirect(message, writer):
    target = "Location: http://127.0.0.1:1/elsewhere\r\n"
    writer.write(http_json({}, "307 Temporary Redirect", target))


async def bomb(message, writer):
    writer.write(http_json(BOMB, extra="Content-Encoding: gzip\r\n"))


async def not_http(message, writer):
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


async def long_header(message, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n")


async def endless_event(message, writer):
    writer.write(SSE.encode() + b"\r\ndata: ")
    for _ in range(100):
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_comments(message, writer):
    writer.write(SSE.encode() + b"\r\n")
    for _ in range(100):
        writer.write(b": ping\n\n" * 8192)
        await writer.drain()


async def oversize_body(message, writer):
    writer.write(http_json({"x": "x" * 3_000_000}))


@pytest.mark.parametrize(
    ("misbehaviour", "reason"),
    [
        (hang_before_headers, Unknown.TIMEOUT),
        (hang_after_headers, Unknown.TIMEOUT),
        (hang_in_body, Unknown.TIMEOUT),
        (eof_before_headers, Unknown.EOF),
        (eof_in_body, Unknown.EOF),
        (eof_in_stream, Unknown.EOF),
        (wrong_id, Unknown.WRONG_ID),
        (wrong_id_type, Unknown.WRONG_ID),
        (wrong_id_in_stream, Unknown.WRONG_ID),
        (not_json, Unknown.MALFORMED),
        (infinite_number, Unknown.MALFORMED),
        (deep_nesting, Unknown.MALFORMED),
        (result_is_a_list, Unknown.MALFORMED),
        (unknown_result_type, Unknown.MALFORMED),
        (html, Unknown.MALFORMED),
        (accepted, Unknown.MALFORMED),
        (server_error, Unknown.MALFORMED),
        (redirect, Unknown.MALFORMED),
        (bomb, Unknown.MALFORMED),
        (not_http, Unknown.MALFORMED),
        (long_header, Unknown.MALFORMED),
        (endless_event, Unknown.OVERSIZE),
        (endless_comments, Unknown.OVERSIZE),
        (oversize_body, Unknown.OVERSIZE),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_broken_answer_means_outcome_unknown_and_the_call_is_sent_once(
    pool, misbehaviour, reason, era
):
    async with RawServer(misbehaviour, era=era) as server:
        haste = HASTE if reason is Unknown.TIMEOUT else None
        with pytest.raises(OutcomeUnknown) as caught:
            await call(pool, server, timeouts=haste, caps=Caps(result_bytes=1_000_000))
        assert caught.value.reason is reason
        assert len(server.calls) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 429])
async def test_a_plain_refusal_by_http_status_is_a_definite_answer(pool, status):
    async def refuse(message, writer):
        writer.write(http_json(b"no", f"{status} No"))

    async with RawServer(refuse) as server:
        answer = await call(pool, server)
        assert isinstance(answer, ToolRpcError)
        assert f"HTTP status {status}" in answer.message


async def test_a_json_rpc_error_in_a_refusal_is_passed_on(pool):
    async def refuse(message, writer):
        error = {"code": -32602, "message": "Unknown tool"}
        writer.write(http_json({"jsonrpc": "2.0", "id": None, "error": error}, "400 Bad"))

    async with RawServer(refuse) as server:
        assert await call(pool, server) == ToolRpcError(-32602, "Unknown tool")


async def test_half_a_surrogate_pair_in_a_result_is_replaced_not_fatal(pool):
    async def lone(message, writer):
        text = b'{"content":[{"type":"text","text":"a\\udc80b\\ud83d\\ude00"}]}'
        writer.write(http_json(b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (message["id"], text)))

    async with RawServer(lone, era="legacy") as server:
        answer = await call(pool, server)
        assert isinstance(answer, ToolResult)
        assert answer.result["content"][0]["text"] == "a�b\U0001f600"


async def test_a_broken_legacy_stream_is_read_on_by_its_last_event_id(pool):
    async def break_off(message, writer):
        writer.write(SSE.encode() + b"\r\nid: e-1\nretry: 10\ndata: \n\n")
        break_off.id = message["id"]

    async def resume(head, writer):
        assert "last-event-id: e-1" in head.lower()
        answer = json.dumps(reply(break_off.id, OK)).encode()
        writer.write(SSE.encode() + b"\r\nid: e-2\ndata: " + answer + b"\n\n")

    async with RawServer(break_off, era="legacy", on_get=resume) as server:
        answer = await call(pool, server)
        assert isinstance(answer, ToolResult)
        assert len(server.calls) == 1


async def test_a_legacy_stream_that_cannot_be_read_on_is_unknown(pool):
    async def break_off(message, writer):
        writer.write(SSE.encode() + b"\r\nid: e-1\nretry: 1\ndata: \n\n")

    async def gone(head, writer):
        writer.write(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")

    async with RawServer(break_off, era="legacy", on_get=gone) as server:
        with pytest.raises(OutcomeUnknown) as caught:
            await call(pool, server)
        assert caught.value.reason is Unknown.EOF


async def test_a_connection_refused_at_the_call_means_nothing_was_sent(pool):
    async with RawServer(wrong_id) as server:
        session = await pool.session(spec_for(server.url))
    await asyncio.sleep(0)
    with pytest.raises(NothingSent):
        await session.call_tool(name="echo", arguments=b"{}")
    assert server.calls == []


async def test_a_redirect_at_the_handshake_names_the_target_and_is_not_followed(pool):
    async def redirecting(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        target = "Location: http://169.254.169.254/latest\r\n"
        writer.write(http_json({}, "308 Permanent Redirect", target))
        writer.close()

    server = await asyncio.start_server(redirecting, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    with pytest.raises(UpstreamUnavailable, match=r"169\.254\.169\.254"):
        await pool.session(spec_for(url))
    server.close()
    await server.wait_closed()


async def test_a_refused_credential_is_said_so(pool):
    async def refusing(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http_json({}, "401 Unauthorized"))
        writer.close()

    server = await asyncio.start_server(refusing, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    with pytest.raises(UpstreamUnavailable, match="credential"):
        await pool.session(spec_for(url))
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "http://[::1]:9/", "http://10.0.0.1/", "http://0x7f.1:9/"]
)
async def test_private_addresses_are_refused_unless_allowed(pool, url):
    with pytest.raises(UpstreamUnavailable, match="loopback or private"):
        await pool.session(spec_for(url, allow_private_addresses=False))


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/mcp",
        "http://[fe80::1]/mcp",
        "http://[::ffff:169.254.169.254]/mcp",
        "http://[64:ff9b::a9fe:a9fe]/mcp",
        "http://[fd00:ec2::254]/mcp",
        "http://100.100.100.200/mcp",
        "http://0.0.0.0:9/mcp",
        "http://224.0.0.1/mcp",
    ],
)
async def test_link_local_and_metadata_addresses_are_refused_even_where_private_is_allowed(
    pool, url
):
    refused = r"nothing may ever be sent there|not the address of a host"
    with pytest.raises(UpstreamUnavailable, match=refused):
        await pool.session(spec_for(url))


def answers_with(*addresses: str):
    """A resolver that gives one address after the other, then the last one for ever."""
    left = list(addresses)

    async def look_up(host, port, family):
        address = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    return look_up


async def test_a_name_that_starts_to_point_inside_is_refused_at_the_next_connection():
    async with RawServer(wrong_id) as server:
        pool = UpstreamPool(look_up=answers_with("127.0.0.1", "169.254.169.254"))
        session = await pool.session(spec_for(f"http://rebinding.example:{server.port}/"))
        assert f"Host: rebinding.example:{server.port}" in server.requests[0]
        server._server.close_clients()
        await asyncio.sleep(0.05)
        with pytest.raises(NothingSent, match="nothing may ever be sent there"):
            await session.call_tool(name="echo", arguments=b"{}")
        assert server.calls == []
        await pool.close()


async def test_a_name_with_one_good_and_one_bad_address_is_refused():
    async def look_up(host, port, family):
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("93.184.216.34", "127.0.0.1")
        ]

    pool = UpstreamPool(look_up=look_up)
    with pytest.raises(UpstreamUnavailable, match="loopback"):
        await pool.session(spec_for("http://mixed.example/", allow_private_addresses=False))
    await pool.close()


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to():
    """The resolver is asked once per connection; nothing resolves again behind the check."""
    asked = []

    async def look_up(host, port, family):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def fine(message, writer):
        writer.write(http_json(reply(message["id"], OK)))

    async with RawServer(fine) as server:
        pool = UpstreamPool(look_up=look_up)
        session = await pool.session(spec_for(f"http://once.example:{server.port}/"))
        await session.call_tool(name="echo", arguments=b"{}")
        assert asked == ["once.example"]
        await pool.close()
