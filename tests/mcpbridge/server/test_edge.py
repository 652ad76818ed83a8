"""What the edge refuses before anything of a request is believed."""

import pytest

from mcpbridge.server import edge
from mcpbridge.server.wire import AgentGone, Refused, header


def refused(act, *args, **kwargs) -> Refused:
    with pytest.raises(Refused) as caught:
        act(*args, **kwargs)
    return caught.value


def receiving(*chunks: bytes, cut: bool = False):
    messages = [
        {"type": "http.request", "body": chunk, "more_body": cut or index < len(chunks) - 1}
        for index, chunk in enumerate(chunks)
    ]
    if cut:
        messages.append({"type": "http.disconnect"})
    taken = []

    async def receive():
        taken.append(1)
        return messages[len(taken) - 1]

    receive.taken = taken
    return receive


@pytest.mark.parametrize("host", [b"127.0.0.1:8000", b"localhost", b"LOCALHOST:9", b"[::1]:8000"])
def test_our_own_hosts_are_served(host: bytes) -> None:
    edge.check_host([(b"host", host)], ("127.0.0.1", "localhost", "[::1]"))


@pytest.mark.parametrize("headers", [[], [(b"host", b"evil.example")], [(b"host", b"a b")]])
def test_a_foreign_or_missing_host_is_refused(headers) -> None:
    assert refused(edge.check_host, headers, ("127.0.0.1",)).status == 421


def test_an_agent_without_origin_may_speak() -> None:
    edge.check_origin([], ("http://127.0.0.1:8000",))
    edge.check_origin([(b"origin", b"http://127.0.0.1:8000")], ("http://127.0.0.1:8000",))


@pytest.mark.parametrize(
    "origin",
    [b"https://127.0.0.1:8000", b"http://127.0.0.1:8001", b"null", b"http://127.0.0.1:8000.evil"],
)
def test_another_origin_is_refused_whole_origins_counting(origin: bytes) -> None:
    assert (
        refused(edge.check_origin, [(b"origin", origin)], ("http://127.0.0.1:8000",)).status == 403
    )


def test_only_messages_streams_and_the_end_of_a_session_are_served() -> None:
    for method in ("POST", "GET", "DELETE"):
        edge.check_method(method)
    problem = refused(edge.check_method, "PUT")
    assert (problem.status, problem.headers["Allow"]) == (405, "POST, GET, DELETE")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"text/plain")],
        [(b"content-type", b"application/json, text/plain")],
        [(b"content-type", b"application/json"), (b"content-encoding", b"gzip")],
    ],
)
def test_a_body_that_is_not_plain_json_is_refused(headers) -> None:
    assert refused(edge.check_media, headers).status == 415


def test_json_with_a_charset_is_plain_json() -> None:
    edge.check_media([(b"content-type", b"Application/JSON; charset=utf-8")])


def test_a_header_that_stands_twice_is_refused() -> None:
    twice = [(b"authorization", b"Bearer a"), (b"Authorization", b"Bearer b")]
    problem = refused(header, twice, "authorization")
    assert (problem.status, problem.code) == (400, -32020)


@pytest.mark.parametrize(
    "name", [b"Mcp-Name", b"mcp-method", b"MCP-Protocol-Version", b"Mcp-Param-Region", b"Host"]
)
def test_a_header_that_decides_something_stands_once(name: bytes) -> None:
    problem = refused(edge.check_once, [(name, b"a"), (b"x", b"1"), (name.lower(), b"a")])
    assert (problem.status, problem.code) == (400, -32020)
    edge.check_once([(name, b"a"), (b"accept", b"a/b"), (b"accept", b"c/d"), (b"x", b"1")])


@pytest.mark.parametrize(
    "headers", [[(b"x-a", b"b" * 33_000)], [(b"x-%d" % n, b"b") for n in range(501)]]
)
def test_headers_without_bounds_are_refused(headers) -> None:
    assert refused(edge.check_once, headers).status == 431


@pytest.mark.parametrize("charset", [b"utf-16", b"latin-1", b'"utf-7"', b""])
def test_json_in_another_charset_is_refused(charset: bytes) -> None:
    headers = [(b"content-type", b"application/json; Charset=" + charset)]
    assert refused(edge.check_media, headers).status == 415
    edge.check_media([(b"content-type", b'application/json;charset="UTF-8"; a=b')])


def test_a_body_names_the_revision_of_its_header_or_none() -> None:
    key = "io.modelcontextprotocol/protocolVersion"
    arrived = edge.Arrived(b"", {"id": 7, "method": "x", "params": {"_meta": {key: "2026-07-28"}}})
    for headers in ([], [(b"mcp-protocol-version", b"2025-11-25")]):
        problem = refused(edge.check_revision, headers, arrived)
        assert (problem.status, problem.code, problem.request_id) == (400, -32020, 7)
    edge.check_revision([(b"mcp-protocol-version", b"2026-07-28")], arrived)
    edge.check_revision([], edge.Arrived(b"", {"method": "x", "params": {"_meta": {}}}))


async def test_a_body_with_a_length_and_in_chunks_is_refused_unread() -> None:
    receive = receiving(b"{}")
    both = [(b"content-length", b"2"), (b"transfer-encoding", b"chunked")]
    with pytest.raises(Refused) as caught:
        await edge.read_body(both, receive, 10)
    assert (caught.value.status, caught.value.headers) == (400, {"Connection": "close"})
    assert not receive.taken


async def test_a_body_is_read_to_its_end() -> None:
    assert await edge.read_body([], receiving(b"ab", b"", b"c"), 3) == b"abc"


async def test_a_body_that_grows_too_large_is_refused_before_it_is_read_whole() -> None:
    receive = receiving(b"aa", b"bb", b"cc", b"dd")
    with pytest.raises(Refused) as caught:
        await edge.read_body([], receive, 3)
    assert caught.value.status == 413
    assert len(receive.taken) == 2


@pytest.mark.parametrize(
    ("declared", "status"), [(b"4", 413), (b"9" * 40, 413), (b"-1", 400), (b"x", 400)]
)
async def test_a_declared_length_is_believed_only_against_the_sender(declared, status) -> None:
    receive = receiving(b"{}")
    with pytest.raises(Refused) as caught:
        await edge.read_body([(b"content-length", declared)], receive, 3)
    assert caught.value.status == status
    assert not receive.taken


async def test_a_body_that_is_cut_off_is_no_message() -> None:
    with pytest.raises(AgentGone):
        await edge.read_body([], receiving(b"{}", cut=True), 10)


def test_a_request_is_read_with_its_id_and_params() -> None:
    raw = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x"}}'
    arrived = edge.read_message(raw, max_bytes=1000)
    assert (arrived.request_id, arrived.method, arrived.params) == (7, "tools/call", {"name": "x"})
    assert arrived.raw == raw


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"a":1,"a":2}', "duplicate_key"),
        (b'{"a":NaN}', "not_a_number"),
        (b'{"a":9007199254740993}', "number_out_of_range"),
        (b'{"a":"\\ud800"}', "lone_surrogate"),
        (b"[" * 10_000, "too_deep"),
        (b"{} {}", "trailing_data"),
        (b"\xff", "invalid_utf8"),
        (b"", "empty"),
        (b"{", "malformed"),
    ],
)
def test_json_that_readers_disagree_about_is_a_parse_error(raw: bytes, reason: str) -> None:
    problem = refused(edge.read_message, raw, max_bytes=100_000)
    assert (problem.status, problem.code) == (400, -32700)
    assert problem.data is not None
    assert problem.data["reason"] == reason


@pytest.mark.parametrize(
    "raw",
    [
        b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
        b"7",
        b'{"id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":true,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":"' + b"x" * 300 + b'","method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":7}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}',
    ],
)
def test_json_that_is_no_single_message_is_an_invalid_request(raw: bytes) -> None:
    problem = refused(edge.read_message, raw, max_bytes=1000)
    assert (problem.status, problem.code) == (400, -32600)
