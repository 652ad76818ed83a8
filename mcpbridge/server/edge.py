"""The edge: what a request must look like before anything of it is believed.

Host, Origin, method, media types, size and strict JSON. Everything here is cheap and touches
neither the database nor the SDK; every refusal says what would be right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from django.http.request import split_domain_port, validate_host
from mcp_types import PROTOCOL_VERSION_META_KEY

from mcpbridge.calls import strict_json
from mcpbridge.server.wire import (
    HEADER_MISMATCH,
    INVALID_REQUEST,
    PARSE_ERROR,
    AgentGone,
    Headers,
    Receive,
    Refused,
    RequestId,
    header,
)

METHODS: Final = ("POST", "GET", "DELETE")
SESSION_HEADER: Final = "mcp-session-id"
REVISION_HEADER: Final = "mcp-protocol-version"
BODY_SECONDS: Final = 30.0
_MAX_REQUEST_ID: Final = 256
_JSON: Final = "application/json"
_IDENTITY: Final = ("", "identity")
_MOST_HEADERS: Final = 500
_MOST_HEADER_BYTES: Final = 32 * 1024
_CLOSE: Final = {"Connection": "close"}
_PARAMETER: Final = b"mcp-param-"
_ONCE: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"last-event-id",
        b"mcp-method",
        b"mcp-name",
        b"mcp-protocol-version",
        b"mcp-session-id",
        b"origin",
        b"transfer-encoding",
    }
)


@dataclass(frozen=True, slots=True)
class Arrived:
    """One JSON-RPC message as it came: the bytes, and the one way to read them."""

    raw: bytes
    message: dict[str, Any]

    def without_raw(self) -> Arrived:
        """The same message; its bytes are let go of, a call may be held for hours."""
        return Arrived(b"", self.message)

    @property
    def method(self) -> str:
        """The JSON-RPC method; empty where none is named."""
        method = self.message.get("method")
        return method if isinstance(method, str) else ""

    @property
    def request_id(self) -> RequestId:
        """The request's id; None for a notification or a response."""
        given = self.message.get("id")
        is_id = isinstance(given, str | int) and not isinstance(given, bool)
        return given if is_id and "method" in self.message else None

    @property
    def params(self) -> dict[str, Any]:
        """The params, empty where there are none or they are no object."""
        params = self.message.get("params")
        return params if isinstance(params, dict) else {}


def check_host(headers: Headers, allowed_hosts: Collection[str]) -> None:
    """Refuse (421) a Host that is not ours: a rebound name must not reach a local gateway."""
    host = header(headers, "host") or ""
    domain, _port = split_domain_port(host)
    if not domain or not validate_host(domain, list(allowed_hosts)):
        raise Refused(421, f"the host {host[:100]!r} is not served here")


def check_origin(headers: Headers, allowed_origins: Collection[str]) -> None:
    """Refuse (403) a browser's request from a foreign page; agents send no Origin."""
    origin = header(headers, "origin")
    if origin is not None and origin.lower() not in {known.lower() for known in allowed_origins}:
        raise Refused(403, f"the origin {origin[:100]!r} may not speak to this endpoint")


def check_method(method: str) -> None:
    """Refuse (405) what is neither a message, a session's stream nor its end."""
    if method not in METHODS:
        raise Refused(405, f"{method} is not served here", headers={"Allow": ", ".join(METHODS)})


def check_once(headers: Headers) -> None:
    """Refuse (400, -32020) a header that decides something and stands twice.

    Of two readers one would believe the first, the other the last. More headers than any client
    has are refused too (431): not every server bounds them.
    """
    seen: set[bytes] = set()
    size = 0
    for count, (name, value) in enumerate(headers, start=1):
        size += len(name) + len(value)
        if count > _MOST_HEADERS or size > _MOST_HEADER_BYTES:
            raise Refused(431, "the headers are too many or too long", headers=_CLOSE)
        key = name.lower()
        if key in seen and (key in _ONCE or key.startswith(_PARAMETER)):
            spelled = key.decode("ascii", "replace")
            raise Refused(400, f"the header {spelled} stands more than once", code=HEADER_MISMATCH)
        seen.add(key)


def check_revision(headers: Headers, arrived: Arrived) -> None:
    """Refuse (400, -32020) a body that names another revision than its header, or has none.

    Without its header it would be read by the rules of an older revision.
    """
    meta = arrived.params.get("_meta")
    if not isinstance(meta, dict) or PROTOCOL_VERSION_META_KEY not in meta:
        return
    if header(headers, REVISION_HEADER) != meta[PROTOCOL_VERSION_META_KEY]:
        raise Refused(
            400,
            f"the header {REVISION_HEADER} must say what the body's _meta says",
            code=HEADER_MISMATCH,
            request_id=arrived.request_id,
        )


def check_media(headers: Headers) -> None:
    """Refuse (415) a body that is not plain JSON."""
    given = (header(headers, "content-type") or "").lower()
    content_type, *parameters = (part.strip() for part in given.split(";"))
    if content_type != _JSON:
        raise Refused(415, f"the content type must be {_JSON}, not {content_type[:80]!r}")
    charsets = {part[8:].strip('"') for part in parameters if part.startswith("charset=")}
    if charsets - {"utf-8", "utf8"}:
        raise Refused(415, "JSON is sent in UTF-8, whatever its content type says")
    encoding = (header(headers, "content-encoding") or "").lower()
    if encoding not in _IDENTITY:
        raise Refused(415, f"the body must not be encoded ({encoding[:40]!r})")


async def read_body(headers: Headers, receive: Receive, max_bytes: int) -> bytes:
    """The whole body. Raises Refused (413) as soon as it is too large, AgentGone when cut off.

    A body that takes longer than BODY_SECONDS is refused too (408).
    """
    declared = header(headers, "content-length")
    if declared is not None and header(headers, "transfer-encoding") is not None:
        raise Refused(400, "a body has a length or comes in chunks, not both", headers=_CLOSE)
    if declared is not None:
        if not (declared.isascii() and declared.isdigit()):
            raise Refused(400, "the content length is not a number")
        if len(declared) > 15 or int(declared) > max_bytes:
            raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(receive, max_bytes)
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {BODY_SECONDS:g} seconds") from None


async def _read(receive: Receive, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise AgentGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def read_message(raw: bytes, *, max_bytes: int) -> Arrived:
    """The one JSON-RPC message in `raw`. Raises Refused (400, or 413 by its size)."""
    try:
        value = strict_json.parse(raw, max_bytes=max_bytes)
    except strict_json.TooLarge:
        raise _too_large(max_bytes) from None
    except strict_json.BadJson as bad:
        data: dict[str, Any] = {"reason": bad.code}
        if bad.position is not None:
            data["position"] = bad.position
        raise Refused(400, f"Parse error: {bad}", code=PARSE_ERROR, data=data) from None
    if isinstance(value, list):
        raise Refused(400, "batches are not accepted: send one message in one request")
    if not isinstance(value, dict):
        raise Refused(400, "the body must be one JSON-RPC message, an object")
    if value.get("jsonrpc") != "2.0":
        raise Refused(400, 'the message must say "jsonrpc": "2.0"')
    arrived = Arrived(raw, value)
    _check_shape(arrived)
    return arrived


def _check_shape(arrived: Arrived) -> None:
    given = arrived.message.get("id")
    if "id" in arrived.message:
        is_number = isinstance(given, int) and not isinstance(given, bool)
        is_text = isinstance(given, str) and len(given) <= _MAX_REQUEST_ID
        if not (is_number or is_text):
            raise Refused(
                400,
                f"an id must be an integer or a string of at most {_MAX_REQUEST_ID} characters",
                code=INVALID_REQUEST,
            )
    if not arrived.message.keys() & {"method", "result", "error"}:
        raise Refused(400, "the message is neither a request nor an answer")
    if "method" in arrived.message and not isinstance(arrived.message["method"], str):
        raise Refused(400, "the method must be a string", request_id=None)
    params = arrived.message.get("params")
    if params is not None and not isinstance(params, dict):
        raise Refused(400, "params must be an object", request_id=arrived.request_id)


def _too_large(max_bytes: int) -> Refused:
    return Refused(
        413,
        f"the body is larger than {max_bytes} bytes",
        data={"max_bytes": max_bytes},
        headers=_CLOSE,
    )
