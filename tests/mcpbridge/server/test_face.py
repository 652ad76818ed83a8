"""The face on the wire: who gets in, what is refused, and what closes when it should."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from django.db import DatabaseError
from django.utils import timezone
from mcp.shared.exceptions import MCPError

from mcpbridge import approvals_gateway as ledger
from mcpbridge.administration import AgentSettings, change_agent, issue_token, revoke_token
from mcpbridge.models import AgentToken, CallRecord
from mcpbridge.offload import in_database
from mcpbridge.server import road
from mcpbridge.server.app import Face
from mcpbridge.server.auth import Verified
from mcpbridge.server.capacity import Capacity
from mcpbridge.server.methods import tools
from tests.support.bridge import Bridge
from tests.support.face import ERAS, MODERN, ServedFace, modern_body, served
from tests.support.plain_http import http_client
from tests.support.waiting import eventually_async

ECHO = {"name": "witness__echo", "arguments": {"text": "hello"}}


async def listed(face: ServedFace, secret: str) -> httpx2.Response:
    face.secret = secret
    return await face.modern("tools/list")


# -- who gets in --------------------------------------------------------------------------------


async def test_without_a_token_the_answer_says_where_to_learn_how(face: ServedFace) -> None:
    answer = await listed(face, "")
    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer resource_metadata=")
    assert "/.well-known/oauth-protected-resource/mcp" in challenge
    assert 'scope="mcp"' in challenge
    assert "error=" not in challenge


@pytest.mark.parametrize("secret", ["placet_" + "x" * 43, "short", "a b" * 20, "~" * 600])
async def test_a_token_that_is_none_is_refused(face: ServedFace, secret: str) -> None:
    answer = await face.post(
        modern_body("tools/list"),
        headers={**face.headers(), "authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert secret not in answer.text


@pytest.mark.parametrize("scheme", ["Basic", "Token", ""])
async def test_only_bearer_tokens_are_read(face: ServedFace, scheme: str) -> None:
    headers = {**face.headers(), "authorization": f"{scheme} {face.secret}".strip()}
    answer = await face.post(modern_body("tools/list"), headers=headers)
    assert answer.status_code == 401


async def test_a_revoked_token_is_refused_from_the_next_request_on(
    face: ServedFace, secret: str
) -> None:
    assert (await listed(face, secret)).status_code == 200
    token = await in_database(lambda: AgentToken.objects.order_by("-created_at").first())
    assert token is not None
    await in_database(revoke_token, actor="system:test", token_id=token.pk)
    assert (await listed(face, secret)).status_code == 401


async def test_an_agent_that_is_disabled_is_refused_from_the_next_request_on(
    face: ServedFace, secret: str, bridge: Bridge
) -> None:
    assert (await listed(face, secret)).status_code == 200
    settings = AgentSettings(
        owner_id=bridge.agent.owner_id, team_id=bridge.agent.team_id, enabled=False
    )
    await in_database(
        change_agent, actor="system:test", agent_id=bridge.agent.pk, settings=settings
    )
    assert (await listed(face, secret)).status_code == 401


async def test_an_expired_token_is_refused_though_it_was_just_used(
    face: ServedFace, secret: str
) -> None:
    assert (await listed(face, secret)).status_code == 200
    past = timezone.now() - timedelta(seconds=1)
    await in_database(lambda: AgentToken.objects.update(expires_at=past))
    face.face.authenticator.__init__()  # type: ignore[misc] # what is remembered ends with it
    assert (await listed(face, secret)).status_code == 401


async def test_a_remembered_token_still_ends_at_its_time(face: ServedFace, secret: str) -> None:
    soon = timezone.now() + timedelta(seconds=3)
    await in_database(lambda: AgentToken.objects.update(expires_at=soon))
    assert (await listed(face, secret)).status_code == 200

    async def is_refused() -> bool:
        return (await listed(face, secret)).status_code == 401

    await eventually_async(is_refused)


@pytest.mark.parametrize(
    ("audience", "path", "status"),
    [
        ("/mcp", "/mcp", 200),
        ("/mcp", "/mcp/u/witness", 200),
        ("/mcp/u/witness", "/mcp/u/witness", 200),
        ("/mcp/u/witness", "/mcp", 401),
        ("/mcp/u/other", "/mcp/u/witness", 401),
        ("/mc", "/mcp", 401),
    ],
)
async def test_a_token_opens_the_resource_it_was_issued_for(
    face: ServedFace, bridge: Bridge, settings: Any, audience: str, path: str, status: int
) -> None:
    issued = await in_database(
        issue_token,
        actor="system:test",
        agent=bridge.agent,
        audience=settings.PLACET_PUBLIC_URL + audience,
    )
    face.secret = issued.secret
    headers = face.headers(mcp_protocol_version=MODERN, mcp_method="tools/list")
    answer = await face.post(modern_body("tools/list"), path=path, headers=headers)
    assert answer.status_code == status


async def test_what_was_verified_in_an_older_epoch_is_not_remembered_in_a_newer_one(
    face: ServedFace, secret: str
) -> None:
    authenticator = face.face.authenticator
    epoch = (await in_database(ledger.gate)).epoch
    digest = hashlib.sha256(secret.encode()).digest()
    authenticator._epoch = epoch + 1  # another thread has seen it already
    found = await in_database(authenticator.read, [digest])
    assert isinstance(found[digest], Verified)
    assert (digest in authenticator._known) is (epoch == authenticator._epoch)
    assert digest not in authenticator._known


@pytest.mark.parametrize("scopes", [["metrics"], []])
async def test_a_token_without_the_scope_is_forbidden_and_told_which(
    face: ServedFace, secret: str, scopes: list[str]
) -> None:
    await in_database(lambda: AgentToken.objects.update(scopes=scopes))
    answer = await listed(face, secret)
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="mcp"' in answer.headers["www-authenticate"]


async def test_a_token_in_use_is_noted_but_not_at_every_request(
    face: ServedFace, secret: str
) -> None:
    await listed(face, secret)
    token = await in_database(lambda: AgentToken.objects.order_by("-created_at").first())
    assert token is not None
    assert token.last_used_at is not None
    await listed(face, secret)
    again = await in_database(AgentToken.objects.get, pk=token.pk)
    assert again.last_used_at == token.last_used_at


async def test_no_log_line_holds_a_token(face: ServedFace, secret: str) -> None:
    lines: list[str] = []

    class Everything(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.getMessage()} {record.__dict__}")

    listener = Everything(logging.DEBUG)
    names = ["", *(name for name in logging.root.manager.loggerDict)]
    ours = [logging.getLogger(n) for n in names if n.split(".")[0] not in {"httpx2", "httpcore2"}]
    before = [(logger, logger.level) for logger in ours]
    for logger in ours:
        logger.addHandler(listener)
        logger.setLevel(logging.DEBUG)
    try:
        await listed(face, secret)
        async with face.agent("legacy") as agent:
            await agent.call_tool(**ECHO)
        await listed(face, secret + "x")
    finally:
        for logger, level in before:
            logger.removeHandler(listener)
            logger.setLevel(level)
    assert any("mcp" in line for line in lines)
    assert [line for line in lines if secret in line] == []


async def test_the_metadata_names_the_resource(face: ServedFace, settings: Any) -> None:
    async with http_client() as http:
        for path, resource in (("", "/mcp"), ("/mcp", "/mcp"), ("/mcp/u/git", "/mcp/u/git")):
            answer = await http.get(f"{face.origin}/.well-known/oauth-protected-resource{path}")
            assert answer.status_code == 200
            assert answer.json()["resource"] == settings.PLACET_PUBLIC_URL + resource
            assert answer.json()["bearer_methods_supported"] == ["header"]
        assert (
            await http.get(f"{face.origin}/.well-known/oauth-protected-resource/admin")
        ).status_code == 404
        assert (
            await http.post(f"{face.origin}/.well-known/oauth-protected-resource")
        ).status_code == 405


# -- what is refused ------------------------------------------------------------------------------


async def test_a_foreign_origin_is_refused_before_its_token_is_read(face: ServedFace) -> None:
    answer = await face.post(modern_body("ping"), headers=face.headers(origin="http://evil.test"))
    assert answer.status_code == 403


async def test_a_foreign_host_is_refused(face: ServedFace) -> None:
    answer = await face.post(modern_body("ping"), headers=face.headers(host="evil.test"))
    assert answer.status_code == 421


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"mcp_protocol_version": MODERN}, 405),
        ({"accept": "application/json"}, 406),
        ({}, 400),
        ({"mcp_session_id": "0123456789abcdef"}, 404),
    ],
)
async def test_a_stream_belongs_to_a_session_that_is_open(
    face: ServedFace, more: dict[str, str], status: int
) -> None:
    async with http_client() as http:
        answer = await http.get(face.origin + "/mcp", headers=face.headers(**more))
    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/mcp/u", "/mcp/u/", "/mcp/other", "/mcp/u/a/b", "/mcp/u/%2e%2e"])
async def test_other_paths_are_no_endpoints(face: ServedFace, path: str) -> None:
    assert (await face.post(modern_body("ping"), path=path)).status_code == 404


async def test_an_oversize_body_is_refused(face: ServedFace, settings: Any) -> None:
    settings.MCPBRIDGE_MAX_BODY_BYTES = 1000
    answer = await face.post(b'{"a":"' + b"x" * 2000 + b'"}')
    assert answer.status_code == 413


async def test_an_oversize_body_of_unknown_length_is_refused(
    face: ServedFace, settings: Any
) -> None:
    settings.MCPBRIDGE_MAX_BODY_BYTES = 1000

    async def chunks() -> Any:
        for _ in range(100):
            yield b"x" * 100

    async with http_client() as http:
        try:
            answer = await http.post(face.origin + "/mcp", content=chunks(), headers=face.headers())
        except httpx2.TransportError:
            return  # the connection was closed while the client was still sending
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}', -32700),
        (b"not json", -32700),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
    ],
)
async def test_bad_bodies_are_json_rpc_errors_in_both_eras(
    face: ServedFace, body: bytes, code: int
) -> None:
    for version in (MODERN, "2025-11-25"):
        headers = face.headers(mcp_protocol_version=version, mcp_method="ping")
        answer = await face.post(body, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize(
    "wrong",
    [
        {"mcp_method": "tools/list"},
        {"mcp_name": "witness__write_note"},
        {"mcp_protocol_version": "2027-01-01"},
    ],
)
async def test_headers_that_contradict_the_body_are_refused_and_nothing_runs(
    face: ServedFace, wrong: dict[str, str]
) -> None:
    right = {
        "mcp_protocol_version": MODERN,
        "mcp_method": "tools/call",
        "mcp_name": "witness__echo",
    }
    answer = await face.post(
        modern_body("tools/call", ECHO), headers=face.headers(**{**right, **wrong})
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32020
    assert await in_database(CallRecord.objects.count) == 0


@pytest.mark.parametrize(("region", "status"), [("eu", 200), ("us", 400), (None, 400)])
async def test_parameter_headers_must_say_what_the_arguments_say(
    face: ServedFace, region: str | None, status: int
) -> None:
    await face.modern("tools/list")
    more = {"mcp_param_region": region} if region else {}
    headers = face.headers(
        mcp_protocol_version=MODERN,
        mcp_method="tools/call",
        mcp_name="witness__regional",
        **more,
    )
    call = {"name": "witness__regional", "arguments": {"region": "eu"}}
    params = {"_meta": {"progressToken": "p"}} if status == 200 else {}
    if status == 200:
        body = modern_body("tools/call", {**call, **params})
        async with (
            http_client(timeout=10) as http,
            http.stream(
                "POST", face.origin + "/mcp", content=json.dumps(body).encode(), headers=headers
            ) as answer,
        ):
            assert answer.status_code == status
            return
    refused = await face.post(modern_body("tools/call", call), headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, -32020)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"name": "witness__none", "arguments": {}}, "Unknown tool"),
        ({"name": "placet__other", "arguments": {}}, "Unknown tool"),
        ({"name": "placet__await_ticket", "arguments": {}}, "ticket_id"),
        ({"name": "placet__await_ticket", "arguments": {"ticket_id": "7"}}, "ticket_id"),
        ({**ECHO, "_meta": {"progressToken": "p" * 300}}, "progressToken"),
        ({**ECHO, "_meta": {"placet/idempotency-key": ""}}, "idempotency-key"),
    ],
)
async def test_calls_that_are_wrong_in_themselves_are_invalid_params(
    face: ServedFace, params: dict[str, Any], words: str
) -> None:
    answer = await face.modern("tools/call", params)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32602
    assert words in answer.json()["error"]["message"]
    assert await in_database(CallRecord.objects.count) == 0


@pytest.mark.parametrize("era", ERAS)
async def test_a_ticket_that_is_nobodys_is_not_waited_for(face: ServedFace, era: str) -> None:
    async with face.agent(era) as agent:
        result = await agent.call_tool(
            "placet__await_ticket", {"ticket_id": "0192d4e0-0000-7000-8000-000000000000"}
        )
    assert result.is_error
    assert "no ticket" in result.content[0].text  # type: ignore[union-attr]


async def test_methods_that_are_not_served_are_not_found(face: ServedFace) -> None:
    for method in ("resources/list", "prompts/list", "completion/complete"):
        assert (await face.modern(method)).status_code in {400, 404}


async def test_a_full_process_refuses_politely(
    bridge: Bridge, secret: str, loop_parts: None
) -> None:
    crowded = Face()
    crowded.capacity = Capacity(limit=lambda: 0)
    async with served(crowded, secret=secret) as face:
        crowded.capacity.in_flight = crowded.capacity.most
        answer = await face.modern("tools/list")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        crowded.capacity.in_flight = 0
        assert (await face.modern("tools/list")).status_code == 200
        assert crowded.capacity.in_flight == 0


async def test_without_the_database_nobody_is_let_in(face: ServedFace) -> None:
    def away(_: Any) -> None:
        raise DatabaseError("away")

    face.face.authenticator.read = away  # type: ignore[assignment,method-assign]
    answer = await face.modern("tools/list")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_one_agent_that_holds_too_much_is_told_to_come_back_whatever_its_token(
    face: ServedFace, bridge: Bridge, secret: str
) -> None:
    room = face.face.capacity
    other = await in_database(issue_token, actor="system:test", agent=bridge.agent)
    room._by_agent[bridge.agent.pk] = room._shared = room.most
    for token in (secret, other.secret):
        assert (await listed(face, token)).status_code == 429
    del room._by_agent[bridge.agent.pk]
    room._shared = 0
    assert (await listed(face, secret)).status_code == 200


async def test_a_process_that_is_about_to_end_takes_nothing_new(
    face: ServedFace, secret: str
) -> None:
    assert (await listed(face, secret)).status_code == 200
    await face.face.close()
    answer = await listed(face, secret)
    assert (answer.status_code, answer.headers["connection"]) == (503, "close")
    assert "nothing was executed" in answer.json()["error"]["message"]


@pytest.mark.parametrize("era", ERAS)
async def test_what_breaks_here_tells_the_agent_no_internals(
    face: ServedFace, monkeypatch: pytest.MonkeyPatch, era: str
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ValueError("secret internals")

    async with face.agent(era) as agent:
        monkeypatch.setattr(road, "enforce", broken)
        result = await agent.call_tool(**ECHO)
        assert result.is_error
        assert "secret internals" not in repr(result)
        monkeypatch.setattr(tools, "tools_for", broken)
        with pytest.raises(MCPError) as caught:
            await agent.list_tools()
        assert "secret internals" not in repr(caught.value.error)


# -- what each era is told ------------------------------------------------------------------------


async def test_the_modern_era_is_discovered_with_honest_capabilities(face: ServedFace) -> None:
    answer = (await face.modern("server/discover")).json()["result"]
    assert set(answer["capabilities"]) == {"tools", "logging", "extensions"}
    assert answer["capabilities"]["extensions"] == {"io.modelcontextprotocol/tasks": {}}
    assert answer["capabilities"]["tools"] == {"listChanged": True}
    assert MODERN in answer["supportedVersions"]
    assert answer["resultType"] == "complete"


async def test_modern_lists_carry_their_envelope_and_unknown_fields(face: ServedFace) -> None:
    answer = (await face.modern("tools/list")).json()["result"]
    assert answer["resultType"] == "complete"
    assert answer["cacheScope"] == "private"
    assert answer["ttlMs"] > 0
    echo = next(tool for tool in answer["tools"] if tool["name"] == "witness__echo")
    assert echo["xUnknownField"] == {"kept": True}


async def test_modern_results_carry_our_name_and_not_the_upstreams(face: ServedFace) -> None:
    answer = (await face.modern("tools/call", ECHO)).json()["result"]
    assert answer["resultType"] == "complete"
    assert answer["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "placet"


async def test_a_cursor_that_we_never_gave_is_refused(face: ServedFace) -> None:
    answer = await face.modern("tools/list", {"cursor": "2"})
    assert answer.json()["error"]["code"] == -32602


# -- sessions of older revisions ------------------------------------------------------------------


def initialize(version: str = "2025-11-25") -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }


async def open_session(face: ServedFace) -> str:
    answer = await face.post(initialize())
    assert answer.status_code == 200
    session = str(answer.headers["mcp-session-id"])
    headers = face.headers(mcp_session_id=session)
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await face.post(ready, headers=headers)).status_code == 202
    return session


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18", "2025-03-26"])
async def test_older_revisions_are_negotiated(face: ServedFace, version: str) -> None:
    answer = await face.post(initialize(version))
    data = next(line for line in answer.text.splitlines() if line.startswith("data: {"))
    result = json.loads(data[6:])["result"]
    assert result["protocolVersion"] == version
    assert set(result["capabilities"]) == {"tools", "logging"}
    assert "placet__await_ticket" in result["instructions"]


async def test_a_session_belongs_to_the_token_that_opened_it(
    face: ServedFace, bridge: Bridge
) -> None:
    session = await open_session(face)
    other = await in_database(issue_token, actor="system:test", agent=bridge.agent)
    ping = {"jsonrpc": "2.0", "id": 5, "method": "ping"}
    assert (await face.post(ping, headers=face.headers(mcp_session_id=session))).status_code == 200
    face.secret = other.secret
    assert (await face.post(ping, headers=face.headers(mcp_session_id=session))).status_code == 404


async def test_a_session_belongs_to_the_endpoint_that_opened_it(face: ServedFace) -> None:
    session = await open_session(face)
    ping = {"jsonrpc": "2.0", "id": 5, "method": "ping"}
    headers = face.headers(mcp_session_id=session)
    assert (await face.post(ping, path="/mcp/u/witness", headers=headers)).status_code == 404


async def test_one_agent_cannot_use_up_the_sessions_of_the_others(
    face: ServedFace, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcpbridge.server.app.MOST_OF_ONE_AGENT", 2)
    sessions = [await open_session(face) for _ in range(2)]
    other = await in_database(issue_token, actor="system:test", agent=bridge.agent)
    first, face.secret = face.secret, other.secret
    refused = await face.post(initialize())  # a second token of the same agent helps nothing
    assert (refused.status_code, refused.json()["id"]) == (429, 0)
    face.secret = first
    async with http_client() as http:
        headers = face.headers(mcp_session_id=sessions[0])
        assert (await http.delete(face.origin + "/mcp", headers=headers)).status_code == 200
    await open_session(face)


async def test_a_session_ends_when_the_agent_says_so(face: ServedFace) -> None:
    session = await open_session(face)
    headers = face.headers(mcp_session_id=session)
    async with http_client() as http:
        assert (await http.delete(face.origin + "/mcp", headers=headers)).status_code == 200
    ping = {"jsonrpc": "2.0", "id": 5, "method": "ping"}
    assert (await face.post(ping, headers=headers)).status_code == 404


async def test_a_request_id_in_flight_cannot_be_used_twice(face: ServedFace) -> None:
    session = await open_session(face)
    headers = face.headers(mcp_session_id=session)
    slow = {"name": "witness__slow", "arguments": {"seconds": 1}}
    first = asyncio.create_task(
        face.post(
            {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": slow}, headers=headers
        )
    )
    await eventually_async(lambda: len(face.face.in_flight) == 1)
    for same in (7, "7"):
        twice = await face.post({"jsonrpc": "2.0", "id": same, "method": "ping"}, headers=headers)
        assert (twice.status_code, twice.json()["error"]["code"]) == (400, -32600)
    assert (await first).status_code == 200
    await eventually_async(lambda: len(face.face.in_flight) == 0)


async def test_a_token_revoked_in_a_session_ends_what_the_session_may_do(
    face: ServedFace,
) -> None:
    async with face.agent("legacy") as agent:
        await agent.list_tools()
        token = await in_database(lambda: AgentToken.objects.order_by("-created_at").first())
        assert token is not None
        await in_database(revoke_token, actor="system:test", token_id=token.pk)
        with pytest.raises((MCPError, httpx2.HTTPError)):
            await agent.list_tools()
