"""Who answers which connection, and what the edge refuses before anybody does."""

import http.client
import json
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from placet import dispatch
from placet.asgi_types import Message
from placet.dispatch import build_application, is_agent_path
from placet.edge import TOO_LARGE, bounded
from placet.logs import TRACE
from tests.support.live import LivePlacet
from tests.support.ports import listening_socket
from tests.support.processes import Running


def http_scope(path: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "path": path, "method": "POST", "headers": list(headers)}


async def call(application: Any, scope: dict[str, Any], *messages: Message) -> list[Message]:
    """Drive an application with given messages and collect what it sends."""
    sent: list[Message] = []
    waiting = list(messages)

    async def receive() -> Message:
        gone = "websocket.disconnect" if scope["type"] == "websocket" else "http.disconnect"
        return waiting.pop(0) if waiting else {"type": gone, "code": 1006}

    async def send(message: Message) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return sent


@pytest.fixture
def spies(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Who was called, with the trace that was set at that moment."""
    seen: list[tuple[str, str]] = []

    async def agents(scope: Any, receive: Any, send: Any) -> None:
        seen.append(("agents", TRACE.get()))

    monkeypatch.setattr(dispatch.app, "application", agents)
    return seen


def over(seen: list[tuple[str, str]]) -> Any:
    async def pages(scope: Any, receive: Any, send: Any) -> None:
        seen.append(("pages", TRACE.get()))

    return build_application(pages)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/mcp", True),
        ("/mcp/", True),
        ("/mcp/u/git", True),
        ("/.well-known/oauth-protected-resource", True),
        ("/.well-known/oauth-protected-resource/mcp", True),
        ("/mcpx", False),
        ("/MCP", False),
        ("/", False),
        ("/manage/mcp", False),
        ("/.well-known/oauth-protected-resources", False),
    ],
)
async def test_only_exact_agent_paths_go_beside_django(
    spies: list[tuple[str, str]], path: str, expected: bool
) -> None:
    assert is_agent_path(path) is expected
    await call(over(spies), http_scope(path))
    assert spies == [("agents" if expected else "pages", "")]


async def test_a_request_brings_its_trace_into_the_log_lines(
    spies: list[tuple[str, str]],
) -> None:
    header = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
    await call(over(spies), http_scope("/mcp", (b"traceparent", header)))
    await call(over(spies), http_scope("/mcp", (b"traceparent", b"\xff garbage")))
    assert spies == [("agents", "a" * 32), ("agents", "")]


async def test_lifespan_is_answered_for_servers_that_have_it(
    spies: list[tuple[str, str]],
) -> None:
    sent = await call(
        over(spies),
        {"type": "lifespan"},
        {"type": "lifespan.startup"},
        {"type": "lifespan.shutdown"},
    )
    assert [m["type"] for m in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert spies == []


@pytest.mark.usefixtures("real_db")
@pytest.mark.parametrize("broken", [False, True])
async def test_the_agents_face_is_closed_when_the_server_ends_whatever_comes_of_it(
    spies: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    closed: list[int] = []

    async def close() -> None:
        closed.append(1)
        if broken:
            raise RuntimeError("broken")

    monkeypatch.setattr(dispatch.app, "close", close)
    messages: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = await call(over(spies), {"type": "lifespan"}, *messages)
    assert sent[-1]["type"] == "lifespan.shutdown.complete"
    assert closed == [1]


@pytest.mark.usefixtures("real_db")
@pytest.mark.parametrize(
    "origin",
    [
        None,
        b"http://evil.example",
        b"http://127.0.0.1:9999",
        b"https://127.0.0.1:8000",
        b"http://127.0.0.1.evil.example:8000",
        b"null",
        b"",
        b"http://127.0.0.1:99999",
        b"http://127.0.0.1:x",
        b"http://[::1",
        b"http://user@127.0.0.1:8000",
        b"http://127.0.0.1:8000/",
        b"\xff",
    ],
)
async def test_a_socket_from_another_origin_is_denied(
    spies: list[tuple[str, str]], origin: bytes | None
) -> None:
    headers = [(b"origin", origin)] if origin is not None else []
    scope = {"type": "websocket", "path": "/ws/doorbell/", "headers": headers}
    sent = await call(over(spies), scope, {"type": "websocket.connect"})
    assert [m["type"] for m in sent] == ["websocket.close"]


@pytest.mark.usefixtures("real_db")
async def test_a_socket_with_two_origins_is_denied(spies: list[tuple[str, str]]) -> None:
    headers = [(b"origin", b"http://127.0.0.1:8000"), (b"origin", b"http://127.0.0.1:8000")]
    scope = {"type": "websocket", "path": "/ws/doorbell/", "headers": headers}
    sent = await call(over(spies), scope, {"type": "websocket.connect"})
    assert [m["type"] for m in sent] == ["websocket.close"]


@pytest.mark.usefixtures("real_db")
async def test_a_socket_to_an_unknown_path_is_closed_without_an_exception(
    spies: list[tuple[str, str]],
) -> None:
    scope = {
        "type": "websocket",
        "path": "/ws/elsewhere/",
        "headers": [(b"origin", b"http://127.0.0.1:8000")],
        "query_string": b"",
    }
    sent = await call(over(spies), scope, {"type": "websocket.connect"})
    assert [m["type"] for m in sent] == ["websocket.close"]


async def reading_pages(scope: Any, receive: Any, send: Any) -> None:
    """Reads a body as Django does: gives up without an answer when the client is gone."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def body(data: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


async def test_a_declared_body_over_the_limit_is_refused_unread() -> None:
    scope = http_scope("/", (b"content-length", b"101"))
    sent = await call(bounded(reading_pages, limit=100), scope)
    assert (sent[0]["status"], sent[1]["body"]) == (413, TOO_LARGE)


async def test_a_body_that_grows_over_the_limit_is_refused_while_it_arrives() -> None:
    sent = await call(
        bounded(reading_pages, limit=100),
        http_scope("/"),
        body(b"x" * 100, more=True),
        body(b"x", more=True),
        body(b"never read", more=False),
    )
    assert [m.get("status") for m in sent] == [413, None]


async def test_a_body_within_the_limit_passes() -> None:
    sent = await call(
        bounded(reading_pages, limit=100),
        http_scope("/", (b"content-length", b"100")),
        body(b"x" * 60, more=True),
        body(b"x" * 40, more=False),
    )
    assert sent[1]["body"] == b"100"


@pytest.fixture
def under_uvicorn(live_placet: LivePlacet, tmp_path: Path) -> Iterator[int]:
    """The same application under uvicorn, on an inherited socket."""
    sock = listening_socket()
    sock.set_inheritable(True)
    port = sock.getsockname()[1]
    argv = [sys.executable, "-m", "uvicorn", "placet.asgi:application", "--fd", str(sock.fileno())]
    env = {**live_placet.env, "PLACET_PORT": str(port)}
    running = Running(argv, log=tmp_path / "uvicorn.log", env=env, pass_fds=[sock.fileno()])
    try:
        running.says("Application startup complete")
        yield port
        assert running.stop() in {0, -15}
        assert "Application shutdown complete" in running.output()
        assert "Traceback" not in running.output()
    finally:
        running.stop(within=1)
        sock.close()


def get(
    port: int, path: str, method: str = "GET", body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.request(method, path, body)
        answer = client.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def answers_as_it_should(port: int) -> None:
    """The same few looks at any server that runs the application."""
    assert get(port, "/healthz")[::2] == (200, b"ok\n")
    status, _, ready = get(port, "/readyz")
    assert status == 200
    assert json.loads(ready)["parts"]["database"] is True
    status, headers, _ = get(port, "/accounts/login/")
    assert status == 200
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert get(port, "/mcp", "POST")[0] == 401
    assert get(port, "/nowhere/")[0] == 404
    status, headers, _ = get(port, "/static/css/base.css")
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/css")


def test_the_application_runs_under_uvicorn(under_uvicorn: int) -> None:
    answers_as_it_should(under_uvicorn)
    with socket.create_connection(("127.0.0.1", under_uvicorn), timeout=10) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999\r\n\r\n")
        raw.settimeout(20)
        assert raw.recv(12) == b"HTTP/1.1 413"


def test_the_application_runs_under_daphne(live_placet: LivePlacet) -> None:
    live_placet.start()
    answers_as_it_should(live_placet.port)
    large = b"x" * (4 * 1024 * 1024 + 1)
    assert get(live_placet.port, "/accounts/login/", "POST", large)[0] == 413
    assert "Traceback" not in live_placet.logs(), live_placet.logs()
