"""The short road and the SDK's: the same request gets the same answer, byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from approvals.models import Ticket
from mcpbridge import approvals_gateway as ledger
from mcpbridge.administration import revoke_token
from mcpbridge.models import AgentToken, CallRecord
from mcpbridge.offload import in_database
from mcpbridge.server import direct_answer
from mcpbridge.server.app import Face
from mcpbridge.server.direct import DirectCall, DirectRoad
from tests.support.bridge import ASK_NOTES, RULES, Bridge
from tests.support.face import MODERN, ServedFace, modern_body, served
from tests.support.plain_http import http_client
from tests.support.waiting import PATIENCE, eventually_async
from tests.support.witness import Witness

CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
VERSION = "io.modelcontextprotocol/protocolVersion"
INFO = "io.modelcontextprotocol/clientInfo"
ALLOW_THE_REST = {"name": "the rest", "tool": "*", "effect": "allow"}
DENY_COUNT = {"name": "nobody counts", "tool": "count", "effect": "deny"}
VOLATILE = ("date", "server")


class Noting(DirectRoad):
    """The short road, with a note of what it carried."""

    def __init__(self, road: DirectRoad) -> None:
        super().__init__(road._tools, road._server_info)
        self.carried: list[str] = []

    async def serve(self, call: DirectCall, *given: Any, **more: Any) -> None:
        self.carried.append(call.name)
        await super().serve(call, *given, **more)


class NoShortRoad(DirectRoad):
    """Leaves every request to the SDK."""

    def __init__(self, road: DirectRoad) -> None:
        super().__init__(road._tools, road._server_info)

    def call_in(self, scope: Any, arrived: Any) -> None:
        return None


@pytest.fixture
async def short(face: ServedFace) -> Noting:
    noting = Noting(face.face.direct)
    face.face.direct = noting
    return noting


@pytest.fixture
async def sdk_face(secret: str, loop_parts: None) -> AsyncIterator[ServedFace]:
    face = Face()
    face.direct = NoShortRoad(face.direct)
    async with served(face, secret=secret) as running:
        yield running


@dataclass(frozen=True)
class Case:
    """One request: a call of `name`, what is odd about it, and whether it takes the short road."""

    name: str
    arguments: Any = field(default_factory=dict)
    short: bool = True
    status: int = 200
    params: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()  # keys of `_meta`
    message: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str | None] = field(default_factory=dict)
    twice: tuple[tuple[str, str], ...] = ()
    path: str = "/mcp"

    def body(self) -> dict[str, Any]:
        params = {"name": self.name, "arguments": self.arguments, **self.params}
        params = {key: value for key, value in params.items() if value is not ...}
        body = modern_body("tools/call", {**params, "_meta": self.meta}, request_id=7)
        for key in self.drop:
            del body["params"]["_meta"][key]
        body |= self.message
        return {key: value for key, value in body.items() if value is not ...}

    def lines(self, secret: str) -> list[tuple[str, str]]:
        found: dict[str, str | None] = {
            "authorization": f"Bearer {secret}",
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-protocol-version": MODERN,
            "mcp-method": "tools/call",
            "mcp-name": self.name,
            **self.headers,
        }
        once = [(name, value) for name, value in found.items() if value is not None]
        return [*once, *self.twice]


HELLO = {"text": "hello"}
ECHO = "witness__echo"
SENTINEL = "=?base64?d2l0bmVzc19fZWNobw==?="
CASES = {
    "an allowed call": Case(ECHO, HELLO),
    "beyond ASCII": Case(ECHO, {"text": "naïve 😀 \u202e"}),
    "the tool fails": Case("witness__fail"),
    "a JSON-RPC error of the upstream": Case("witness__rpc_error"),
    "an upstream that wants more of the client": Case(
        "witness__rpc_error", {"code": -32021}, status=400
    ),
    "denied": Case("witness__count"),
    "no arguments": Case("witness__fail", ...),
    "arguments that are null": Case("witness__fail", None),
    "one upstream's endpoint": Case("echo", HELLO, path="/mcp/u/witness"),
    "an id that is text": Case(ECHO, HELLO, message={"id": "seven"}),
    "the id zero": Case(ECHO, HELLO, message={"id": 0}),
    "a name in the sentinel": Case(ECHO, HELLO, headers={"mcp-name": SENTINEL}),
    "any kind of answer": Case(ECHO, HELLO, headers={"accept": "*/*"}),
    "what the client says of itself": Case(
        ECHO, HELLO, meta={INFO: {"name": "c", "version": "1"}, CAPABILITIES: {"odd": 1}}
    ),
    "progress that is never said": Case(ECHO, HELLO, meta={"progressToken": "p"}),
    "an idempotency key": Case(ECHO, HELLO, meta={"placet/idempotency-key": "k"}),
    "unknown keys of _meta and params": Case(ECHO, HELLO, meta={"x/y": [None]}, params={"odd": 1}),
    "a mirrored parameter": Case(
        "witness__regional", {"region": "north"}, headers={"mcp-param-region": "north"}
    ),
    "a mirrored parameter that differs": Case(
        "witness__regional", {"region": "n"}, status=400, headers={"mcp-param-region": "s"}
    ),
    "an unknown tool": Case("witness__nothing", status=400),
    "no such ticket": Case("placet__await_ticket", {"ticket_id": "0" * 32}),
    "no ticket id": Case("placet__await_ticket", {"ticket": 1}, status=400),
    # -- what the SDK looks at -----------------------------------------------------------------
    "arguments that are a list": Case(ECHO, [1], short=False, status=400),
    "a name that is a number": Case(ECHO, HELLO, short=False, status=400, params={"name": 7}),
    "no name": Case(ECHO, HELLO, short=False, status=400, params={"name": ...}),
    "no _meta": Case(ECHO, HELLO, short=False, status=400, message={"params": {"name": ECHO}}),
    "no version in _meta": Case(ECHO, HELLO, short=False, status=400, drop=(VERSION,)),
    "no capabilities in _meta": Case(ECHO, HELLO, short=False, status=400, drop=(CAPABILITIES,)),
    "capabilities of a wrong shape": Case(
        ECHO, HELLO, short=False, status=400, meta={CAPABILITIES: 7}
    ),
    "a client without a version": Case(
        ECHO, HELLO, short=False, status=400, meta={INFO: {"name": "c"}}
    ),
    "another version in _meta": Case(
        ECHO, HELLO, short=False, status=400, meta={VERSION: "2099-01-01"}
    ),
    "another version": Case(
        ECHO, HELLO, short=False, status=400,
        meta={VERSION: "2099-01-01"}, headers={"mcp-protocol-version": "2099-01-01"},
    ),
    "another name in the header": Case(
        ECHO, HELLO, short=False, status=400, headers={"mcp-name": "other"}
    ),
    "no name in the header": Case(ECHO, HELLO, short=False, status=400, headers={"mcp-name": None}),
    "another method in the header": Case(
        ECHO, HELLO, short=False, status=400, headers={"mcp-method": "tools/list"}
    ),
    "no method in the header": Case(
        ECHO, HELLO, short=False, status=400, headers={"mcp-method": None}
    ),
    "a header twice": Case(
        ECHO, HELLO, short=False, status=400, twice=(("mcp-name", ECHO),)
    ),
    "only JSON is welcome": Case(
        ECHO, HELLO, short=False, status=406, headers={"accept": "application/json"}
    ),
    "nothing is said of what is welcome": Case(
        ECHO, HELLO, short=False, headers={"accept": "*/*"}, twice=(("accept", "text/html"),)
    ),
    "a progress token that is none": Case(
        ECHO, HELLO, short=False, status=400, meta={"progressToken": 1.5}
    ),
    "an idempotency key that is none": Case(
        ECHO, HELLO, short=False, status=400, meta={"placet/idempotency-key": ""}
    ),
    "a notification": Case(ECHO, HELLO, short=False, status=202, message={"id": ...}),
    "an unknown key of the message": Case(ECHO, HELLO, short=False, message={"odd": 1}),
    "another method": Case(
        ECHO, HELLO, short=False, status=404,
        message={"method": "tools/shout"}, headers={"mcp-method": "tools/shout"},
    ),
}  # fmt: skip


async def told(face: ServedFace, case: Case) -> tuple[int, dict[str, str], bytes]:
    async with http_client(timeout=20) as http:
        answer = await http.post(
            face.origin + case.path,
            content=json.dumps(case.body()).encode(),
            headers=case.lines(face.secret),
        )
    headers = {key: value for key, value in answer.headers.items() if key not in VOLATILE}
    return answer.status_code, headers, answer.content


@pytest.fixture
def open_house(bridge: Bridge) -> Bridge:
    ledger.publish_policy(document={"rules": [DENY_COUNT, ASK_NOTES, ALLOW_THE_REST]})
    return bridge


async def test_both_roads_give_the_same_answer_to_the_same_request(
    face: ServedFace, short: Noting, sdk_face: ServedFace, open_house: Bridge
) -> None:
    for face_of in (face, sdk_face):  # so that the token is known, and the tools are read
        await told(face_of, CASES["an allowed call"])
    wrong: dict[str, object] = {}
    for title, case in CASES.items():
        short.carried.clear()
        here, there = await told(face, case), await told(sdk_face, case)
        if here != there:
            wrong[title] = here, there
        elif (here[0], bool(short.carried)) != (case.status, case.short):
            wrong[title] = here, short.carried
    assert wrong == {}


async def test_both_roads_say_the_same_while_a_call_takes_its_time(
    face: ServedFace, short: Noting, sdk_face: ServedFace, open_house: Bridge
) -> None:
    case = Case("witness__slow", {"seconds": 0.3}, meta={"progressToken": 5})
    here, there = await told(face, case), await told(sdk_face, case)
    assert here == there
    assert here[1]["content-type"] == "text/event-stream"
    assert here[2].count(b"notifications/progress") > 1
    assert short.carried == ["witness__slow"]


async def test_a_call_that_waits_is_kept_alive_by_comments(
    face: ServedFace, short: Noting, open_house: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_answer, "PING_SECONDS", 0.1)
    status, headers, body = await told(face, Case("witness__slow", {"seconds": 0.5}))
    assert (status, headers["content-type"]) == (200, "text/event-stream")
    assert body.startswith(b": ping\r\n\r\n")
    assert b"waited 0.5 s" in body


async def test_both_roads_record_the_same(
    face: ServedFace, short: Noting, sdk_face: ServedFace, open_house: Bridge
) -> None:
    for face_of in (face, sdk_face):
        await told(face_of, Case(ECHO, HELLO, meta={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}))
        await told(face_of, CASES["denied"])
    kept = ("tool_name", "tool_digest", "verdict", "rule", "policy_version", "trace_id", "token_id")
    rows = await in_database(lambda: list(CallRecord.objects.values_list(*kept).order_by("pk")))
    assert len(rows) == 4
    assert rows[:2] == rows[2:]


async def test_who_leaves_after_progress_was_said_at_once_is_noticed(
    face: ServedFace, short: Noting, open_house: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    await told(face, CASES["an allowed call"])
    monkeypatch.setattr(direct_answer, "WATCH_AFTER", 60)  # so that only the progress can begin it
    case = Case("witness__write_note", {"note": "x"}, meta={"progressToken": 1})
    async with (
        http_client(timeout=20) as http,
        http.stream(
            "POST",
            face.origin + case.path,
            content=json.dumps(case.body()).encode(),
            headers=case.lines(face.secret),
        ) as answer,
    ):
        assert answer.status_code == 200
        await eventually_async(lambda: in_database(_open_tickets))
    await eventually_async(lambda: face.face.capacity.in_flight == 0)


# -- whom the short road believes -----------------------------------------------------------------


async def known(face: ServedFace) -> None:
    """Let the token be believed: the first call reads the tools, which moves the epoch."""
    for _ in range(2):
        assert (await told(face, CASES["an allowed call"]))[0] == 200


async def revoked(bridge: Bridge) -> None:
    token = await in_database(lambda: AgentToken.objects.order_by("-created_at").first())
    assert token is not None
    await in_database(revoke_token, actor="system:test", token_id=token.pk)


@pytest.mark.parametrize(
    "case",
    [
        CASES["an allowed call"],
        CASES["denied"],
        CASES["an unknown tool"],
        CASES["no such ticket"],
        CASES["a mirrored parameter that differs"],
        Case("witness__write_note", {"note": "x"}),
    ],
    ids=lambda case: case.name,
)
async def test_a_revoked_token_is_refused_at_the_next_call_and_nothing_is_recorded(
    face: ServedFace, short: Noting, open_house: Bridge, upstream_witness: Witness, case: Case
) -> None:
    await known(face)
    await revoked(open_house)
    before = await in_database(CallRecord.objects.count)
    assert (await told(face, case))[0] == 401
    assert await in_database(CallRecord.objects.count) == before
    assert len(upstream_witness.calls()) == 2


async def test_a_revoked_token_gets_no_outcome_that_a_repeat_would_get(
    face: ServedFace, short: Noting, bridge: Bridge
) -> None:
    await known(face)
    note = Case("witness__write_note", {"note": "x"})
    held = asyncio.create_task(told(face, note))
    await eventually_async(lambda: in_database(_open_tickets))
    await revoked(bridge)
    assert (await told(face, note))[0] == 401
    await asyncio.wait_for(held, PATIENCE)


def _open_tickets() -> bool:
    return Ticket.objects.filter(ended_at__isnull=True).exists()


async def test_a_remembered_token_costs_an_allowed_call_no_visit_but_its_record(
    face: ServedFace, short: Noting, open_house: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    await known(face)
    asked: list[str] = []
    monkeypatch.setattr(face.face.epochs, "current", lambda: asked.append("epoch"))
    monkeypatch.setattr(face.face.authenticator, "read", lambda _: asked.append("token"))
    assert (await told(face, CASES["an allowed call"]))[0] == 200
    assert asked == []


def test_the_rules_of_these_tests_are_not_those_of_others() -> None:
    assert ALLOW_THE_REST not in RULES
