"""The pure parts of the road out: lines, events, envelopes, replies, specs, negotiation."""

from __future__ import annotations

import itertools
import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import decode_header_value, mcp_param_headers, x_mcp_header_map

from approvals.outbound.addresses import AddressRefused, check_address
from mcpbridge.upstream import envelope, link
from mcpbridge.upstream.errors import UpstreamUnavailable
from mcpbridge.upstream.lines import LineSplitter, LineTooLong
from mcpbridge.upstream.negotiation import negotiate
from mcpbridge.upstream.replies import MalformedMessage, read_message, tool_reply
from mcpbridge.upstream.spec import BadUpstreamSpec, SandboxProfile, UpstreamSpec, config_digest
from mcpbridge.upstream.sse import EventParser, EventTooLarge


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    points = sorted({0, len(data), *(point % (len(data) + 1) for point in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(points)]


@given(
    st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line)),
    st.lists(st.integers(0, 500)),
)
def test_lines_do_not_depend_on_how_the_stream_is_cut(lines, cuts):
    data = b"".join(line + b"\n" for line in lines)
    splitter = LineSplitter(100)
    found = [line for part in cut(data, cuts) for line in splitter.feed(part)]
    assert found == [line.removesuffix(b"\r") for line in lines if line.strip()]


def test_a_line_beyond_its_cap_is_refused_before_its_end_comes():
    splitter = LineSplitter(10)
    assert splitter.feed(b"0123456789\n") == [b"0123456789"]
    with pytest.raises(LineTooLong):
        splitter.feed(b"0123456789a")


@given(st.lists(st.text(max_size=10)), st.sampled_from(["\n", "\r", "\r\n"]), st.data())
def test_events_do_not_depend_on_line_ends_or_cuts(texts, end, data):
    clean = ["".join(sign for sign in text if sign not in "\r\n") for text in texts]
    stream = "".join(
        f"id: {number}{end}: comment{end}data: {text}{end}data:more{end}{end}"
        for number, text in enumerate(clean)
    ).encode()
    parser = EventParser(10_000)
    cuts = data.draw(st.lists(st.integers(0, 500)))
    found = [event for part in cut(stream, cuts) for event in parser.feed(part)]
    assert [event.data for event in found] == [f"{text}\nmore".encode() for text in clean]
    assert [event.id for event in found] == [str(number) for number in range(len(clean))]


def test_the_id_of_an_event_that_was_cut_off_does_not_count():
    parser = EventParser(1000)
    parser.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
    assert parser.last_id == "1"
    parser.forget_partial()
    (event,) = parser.feed(b"id: 2\ndata: b\n\n")
    assert (event.data, event.id) == (b"b", "2")


def test_an_event_beyond_its_cap_and_lines_without_end_are_refused():
    with pytest.raises(EventTooLarge):
        EventParser(100).feed(b"data: " + b"x" * 200)
    with pytest.raises(EventTooLarge):
        EventParser(100).feed(b"\n" * 200_000)


@given(st.text())
def test_header_values_are_read_back_by_the_official_decoder(text):
    value = envelope.header_value(text.encode("utf-8", "replace").decode())
    assert value.isascii()
    assert decode_header_value(value) == text.encode("utf-8", "replace").decode()


SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "deep": {
            "type": "object",
            "properties": {"n": {"type": "integer", "x-mcp-header": "N"}},
        },
        "flag": {"type": "boolean", "x-mcp-header": "Flag"},
    },
}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"region": "eu", "deep": {"n": 3}, "flag": True},
        {"region": None, "deep": 5, "flag": False},
        {"region": " é ", "deep": {}},
    ],
)
def test_parameter_headers_agree_with_the_official_client(arguments):
    ours = envelope.parameter_headers(SCHEMA, json.dumps(arguments).encode())
    assert ours == mcp_param_headers(x_mcp_header_map(SCHEMA), arguments)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "A B"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "A\r\nEvil: 1"}}},
        {"properties": {"a": {"items": {"type": "string", "x-mcp-header": "A"}}}},
        {
            "properties": {
                "a": {"type": "string", "x-mcp-header": "A"},
                "b": {"type": "string", "x-mcp-header": "a"},
            }
        },
    ],
)
def test_a_schema_that_misuses_parameter_headers_is_refused(schema):
    with pytest.raises(envelope.BadArguments):
        envelope.parameter_headers(schema, b"{}")


def test_the_callers_meta_cannot_replace_ours():
    meta = envelope.request_meta(
        "modern",
        "2026-07-28",
        extra={"io.modelcontextprotocol/protocolVersion": "1999", "progressToken": "theirs"},
        progress_token=None,
    )
    assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    assert "progressToken" not in meta


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"1",
        b"{}",
        b'{"jsonrpc":"1.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}',
        b'{"jsonrpc":"2.0","id":true,"result":{}}',
        b'{"jsonrpc":"2.0","id":1.0,"result":{}}',
        b'{"jsonrpc":"2.0","id":null,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":""}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":NaN}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":[]}',
        b'\xff{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":' + b"9" * 10_000 + b"}}",
        b"[" * 100_000,
    ],
)
def test_what_is_not_a_message_is_refused(raw):
    with pytest.raises(MalformedMessage):
        read_message(raw)


@pytest.mark.parametrize(
    "result",
    [{"content": {}}, {"content": ["x"]}, {"isError": "no"}, {"resultType": 5}],
)
def test_a_tool_result_of_the_wrong_shape_is_refused(result):
    body = {"jsonrpc": "2.0", "id": 1, "result": result}
    with pytest.raises(MalformedMessage):
        tool_reply(read_message(json.dumps(body).encode()))


STDIO = UpstreamSpec(id="1", name="git", transport="stdio", command=("git-server", "--x"))

CHANGES = {
    "command": ("git-server", "--y"),
    "env": {"A": "1"},
    "secret_env": {"KEY": "1"},
    "cwd": "/srv",
    "headers": {"X-Key": "1"},
    "credential_id": "c2",
    "allow_private_addresses": True,
    "per_agent_scope": True,
    **{
        f"sandbox.{field.name}": value
        for field, value in zip(
            fields(SandboxProfile), (True, True, ("/a",), ("/b",), 1, 2, 3, 4), strict=True
        )
    },
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_bound_field_changes_the_configuration_digest(what):
    room, _, name = what.partition(".")
    if name:
        changed = replace(STDIO, sandbox=replace(STDIO.sandbox, **{name: CHANGES[what]}))
    else:
        changed = replace(STDIO, **{room: CHANGES[what]})
    assert config_digest(changed) != config_digest(STDIO)


def test_secrets_neither_show_nor_change_the_digest():
    one = replace(STDIO, secret_env={"KEY": "alpha"}, headers={"Authorization": "beta"})
    two = replace(STDIO, secret_env={"KEY": "gamma"}, headers={"authorization": "delta"})
    assert config_digest(one) == config_digest(two)
    assert "alpha" not in repr(one)
    assert "beta" not in repr(one)


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("ftp://host/", "http"),
        ("http:///x", "host"),
        (None, "http"),
        ("http://user:pw@host/", "credential"),
        ("http://host/#x", "fragment"),
        ("http://host:99999/", "URL"),
        ("file:///etc/passwd", "http"),
    ],
)
def test_an_unusable_url_is_refused_in_words(url, wrong):
    with pytest.raises(BadUpstreamSpec, match=wrong):
        UpstreamSpec(id="1", name="web", transport="http", url=url)


@pytest.mark.parametrize("headers", [{"X": "a\r\nEvil: 1"}, {"X Y": "a"}, {"": "a"}, {"X": "é"}])
def test_a_header_that_cannot_be_sent_is_refused_without_showing_its_value(headers):
    with pytest.raises(BadUpstreamSpec, match="header") as caught:
        UpstreamSpec(id="1", name="x", transport="http", url="http://h/", headers=headers)
    assert "Evil" not in str(caught.value)


def test_a_stdio_upstream_needs_a_command():
    with pytest.raises(BadUpstreamSpec, match="command"):
        UpstreamSpec(id="1", name="x", transport="stdio", command=())


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822", "::ffff:1.1.1.1"]
)
def test_public_addresses_are_allowed(address):
    check_address(address, allow_private=False)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "100.64.0.1", "::1", "fd12::1", "::ffff:10.0.0.1"],
)
def test_private_addresses_need_permission(address):
    check_address(address, allow_private=True)
    with pytest.raises(AddressRefused):
        check_address(address, allow_private=False)


def test_ids_of_links_are_exact_in_every_json_reader_and_do_not_overlap():
    assert link.first_id(link.MAX_LINK) < 2**53
    assert link.link_of(link.first_id(7) + 1) == 7
    assert link.link_of("7") is link.link_of(True) is link.link_of(-1) is None


class Peer:
    """A server that answers each method with what the test says."""

    def __init__(self, **answers) -> None:
        self.answers, self.asked = answers, []

    async def ask(self, method, params, era, version):
        self.asked.append((method, version))
        scripted = self.answers[method.replace("/", "_")]
        answer = scripted.pop(0) if isinstance(scripted, list) else scripted
        if answer is None:
            return None
        return read_message(json.dumps({"jsonrpc": "2.0", "id": 1, **answer}).encode())

    async def notify(self, method, version):
        self.asked.append((method, version))


def unsupported(*versions):
    return {"error": {"code": -32022, "message": "no", "data": {"supported": list(versions)}}}


HANDSHAKE = {"result": {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {}}}


@pytest.mark.parametrize(
    "probe",
    [
        None,
        {"error": {"code": -32601, "message": "no"}},
        {"error": {"code": -32022, "message": "no"}},
        {"result": {"supportedVersions": "2026-07-28"}},
        {"result": {"supportedVersions": ["2025-11-25"]}},
        {"result": {}},
        unsupported("2025-11-25"),
    ],
)
async def test_anything_but_evidence_of_the_modern_era_falls_back_to_the_handshake(probe):
    peer = Peer(server_discover=probe, initialize=HANDSHAKE)
    agreement = await negotiate(peer.ask, peer.notify)
    assert (agreement.era, agreement.version) == ("legacy", "2025-06-18")
    assert peer.asked[-1] == ("notifications/initialized", "2025-06-18")


async def test_a_server_that_names_our_revision_in_its_refusal_is_probed_again():
    modern = {"result": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}}
    peer = Peer(server_discover=[None, modern], initialize=unsupported("2026-07-28"))
    agreement = await negotiate(peer.ask, peer.notify)
    assert agreement.era == "modern"
    assert agreement.capabilities == {"tools": {}}


@pytest.mark.parametrize(
    ("probe", "handshake"),
    [
        (unsupported("2031-01-01"), HANDSHAKE),
        (None, None),
        (None, {"error": {"code": -32603, "message": "boom"}}),
        (None, {"result": {"protocolVersion": "1999-01-01"}}),
        (unsupported("2026-07-28"), unsupported("2026-07-28")),
    ],
)
async def test_no_common_revision_is_unavailable(probe, handshake):
    peer = Peer(server_discover=probe, initialize=handshake)
    with pytest.raises(UpstreamUnavailable):
        await negotiate(peer.ask, peer.notify)
