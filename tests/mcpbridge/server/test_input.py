"""What hostile and clumsy input gets: the table of `input_cases`, in both eras.

Runs on both databases. Every refusal leaves no ticket, no record and nothing upstream.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from approvals.models import Ticket
from mcpbridge.models import Agent, CallRecord
from mcpbridge.offload import in_database
from tests.mcpbridge.server import input_cases as cases
from tests.mcpbridge.server.input_cases import Case, Expected
from tests.support.bridge import Bridge
from tests.support.face import ERAS, ServedFace
from tests.support.plain_http import http_client
from tests.support.witness import Witness

pytestmark = pytest.mark.both_engines

type Headers = list[tuple[str, str]]

TEN_MIB = 10 * 1024 * 1024


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with http_client(timeout=30) as client:
        yield client


async def right_headers(face: ServedFace, http: httpx2.AsyncClient, era: str) -> Headers:
    """The headers of a call that would be let through; opens a session where there are any."""
    if era == "modern":
        more = {
            "mcp_protocol_version": cases.MODERN,
            "mcp_method": "tools/call",
            "mcp_name": cases.TOOL,
        }
        return list(face.headers(**more).items())
    hello = {
        "protocolVersion": cases.LEGACY,
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    opened = await http.post(
        f"{face.origin}/mcp",
        json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello},
        headers=face.headers(),
    )
    more = {
        "mcp_session_id": opened.headers["mcp-session-id"],
        "mcp_protocol_version": cases.LEGACY,
    }
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    await http.post(f"{face.origin}/mcp", json=ready, headers=face.headers(**more))
    return list(face.headers(**more).items())


def changed(right: Headers, case: Case) -> Headers:
    named = {name for name, _ in case.headers}
    kept = right if case.again else [pair for pair in right if pair[0] not in named]
    return [*kept, *((name, value) for name, value in case.headers if value is not None)]


def message_in(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON-RPC message of an answer, in whatever form it came; empty for none."""
    text = answer.text
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        text = next((line[6:] for line in text.splitlines() if line.startswith("data: {")), "")
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def met(answer: httpx2.Response, expected: Expected) -> Expected:
    """What the answer was, in the terms of what was expected of it."""
    code = message_in(answer).get("error", {}).get("code")
    return answer.status_code, None if expected[1] is None else code


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("table", ["TEXT", "MESSAGES", "CALLS", "HEADERS", "MODERN_HEADERS"])
async def test_bad_input_gets_the_code_of_the_specification_and_leaves_nothing_behind(
    face: ServedFace, http: httpx2.AsyncClient, witness: Witness, era: str, table: str
) -> None:
    right = await right_headers(face, http, era)
    wanted: dict[str, Expected] = {}
    got: dict[str, Expected] = {}
    for case in getattr(cases, table):
        expected = getattr(case, era)
        if expected is None:
            continue
        answer = await http.post(
            f"{face.origin}/mcp", content=case.body(era), headers=changed(right, case)
        )
        wanted[case.what], got[case.what] = expected, met(answer, expected)
        assert "Traceback" not in answer.text, case.what
    assert got == wanted
    assert await in_database(Ticket.objects.count) == 0
    assert await in_database(CallRecord.objects.count) == 0
    assert witness.calls() == []


async def impatient(bridge: Bridge) -> None:
    """Paused calls are answered at once, and there is room for many."""
    agents = Agent.objects.filter(pk=bridge.agent.pk)
    await in_database(agents.update, hold_seconds=0, max_open_tickets=1000)


@pytest.mark.parametrize("era", ERAS)
async def test_what_is_unusual_but_right_is_a_call_of_its_own(
    face: ServedFace, http: httpx2.AsyncClient, bridge: Bridge, era: str
) -> None:
    await impatient(bridge)
    right = await right_headers(face, http, era)
    for ident, arguments in enumerate(cases.DISTINCT):
        body = cases.call(era, arguments=arguments, ident=str(ident)).encode()
        answer = await http.post(f"{face.origin}/mcp", content=body, headers=right)
        assert "result" in message_in(answer), (arguments, answer.text)
    tickets = await in_database(lambda: list(Ticket.objects.all()))
    assert len(tickets) == len({bytes(ticket.repeat_key) for ticket in tickets})
    assert len(tickets) == len({bytes(ticket.arguments_key) for ticket in tickets})
    assert [ticket.requests for ticket in tickets] == [1] * len(cases.DISTINCT)


@pytest.mark.parametrize("era", ERAS)
async def test_one_call_in_several_spellings_is_one_call(
    face: ServedFace, http: httpx2.AsyncClient, bridge: Bridge, era: str
) -> None:
    await impatient(bridge)
    right = await right_headers(face, http, era)
    for ident, arguments in enumerate(cases.SAME):
        body = cases.call(era, arguments=arguments, ident=str(ident)).encode()
        answer = await http.post(f"{face.origin}/mcp", content=body, headers=right)
        assert "result" in message_in(answer), (arguments, answer.text)
    ticket = await in_database(Ticket.objects.get)
    assert ticket.requests == len(cases.SAME)


@pytest.mark.parametrize(
    "ident", ['"' + "x" * 256 + '"', '""', "0", "-1", '"\\u202e"', '"\\u0000"']
)
@pytest.mark.parametrize("era", ERAS)
async def test_an_odd_id_that_is_allowed_comes_back_as_it_was(
    face: ServedFace, http: httpx2.AsyncClient, bridge: Bridge, era: str, ident: str
) -> None:
    await impatient(bridge)
    right = await right_headers(face, http, era)
    body = cases.call(era, ident=ident).encode()
    answer = message_in(await http.post(f"{face.origin}/mcp", content=body, headers=right))
    assert answer["id"] == json.loads(ident)
    assert "result" in answer


async def test_the_same_id_in_modern_requests_is_nobodys_business_but_the_senders(
    face: ServedFace, http: httpx2.AsyncClient, bridge: Bridge
) -> None:
    await impatient(bridge)
    right = await right_headers(face, http, "modern")
    for note in ("a", "b"):
        body = cases.call("modern", arguments=json.dumps({"note": note})).encode()
        answer = await http.post(f"{face.origin}/mcp", content=body, headers=right)
        assert message_in(answer)["id"] == 7
    assert await in_database(Ticket.objects.count) == 2


async def test_a_name_in_base64_is_the_name(
    face: ServedFace, http: httpx2.AsyncClient, bridge: Bridge
) -> None:
    await impatient(bridge)
    right = dict(await right_headers(face, http, "modern"))
    right["mcp-name"] = cases.sentinel(cases.TOOL)
    body = cases.call("modern").encode()
    answer = await http.post(f"{face.origin}/mcp", content=body, headers=right)
    assert answer.status_code == 200
    assert await in_database(Ticket.objects.count) == 1


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("form", ["declared", "chunked"])
async def test_ten_mebibytes_are_refused_in_bounded_memory(
    face: ServedFace, http: httpx2.AsyncClient, era: str, form: str
) -> None:
    right = await right_headers(face, http, era)
    piece = b"x" * 65536

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(TEN_MIB // len(piece)):
            yield piece

    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        if form == "declared":
            answer = await http.post(
                f"{face.origin}/mcp",
                content=pieces(),
                headers=[*right, ("content-length", str(TEN_MIB))],
            )
        else:
            answer = await http.post(f"{face.origin}/mcp", content=pieces(), headers=right)
        status = answer.status_code
    except httpx2.TransportError:
        status = 413  # the connection was closed while the client was still sending
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    print(f"10 MiB, {form}, {era}: peak {(peak - before) / 1024 / 1024:.1f} MiB")
    assert status == 413
    assert peak - before < 3 * 4 * 1024 * 1024  # what is kept may be one body of the limit
    assert await in_database(Ticket.objects.count) == 0
