"""Writing what we say to an upstream: JSON-RPC lines and the headers of both protocol eras.

Pure. The arguments of a call are spliced in as the bytes they are: what a person saw and what the
digest covers is what leaves, to the byte. Wire shapes: MCP revisions 2025-03-26 to 2025-11-25
("legacy": `initialize`, sessions) and 2026-07-28 ("modern": a `_meta` envelope on every request).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    PROTOCOL_VERSION_META_KEY,
)
from mcp_types.jsonrpc import METHOD_NOT_FOUND

Era = Literal["modern", "legacy"]

CLIENT_INFO: Final = {"name": "placet", "version": "1"}
"""How we introduce ourselves. Our capabilities are the questions that an admin has opened."""

NAME_BEARING: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}

_PLAIN_HEADER = re.compile(r"[\x20-\x7e]*")
_LOOKS_ENCODED = re.compile(r"=\?base64\?.*\?=")
_HEADER_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class BadArguments(ValueError):
    """The argument bytes are not one JSON object on one line."""


def dump(value: Any) -> bytes:
    """Return compact ASCII JSON: never a raw newline, never an unencodable character."""
    return _encode(value).encode("ascii")


def request_meta(
    era: Era,
    version: str,
    *,
    extra: Mapping[str, Any],
    progress_token: int | None,
    capabilities: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a request's `_meta`: the caller's keys, then ours, which win."""
    meta: dict[str, Any] = dict(extra)
    meta.pop("progressToken", None)
    if progress_token is not None:
        meta["progressToken"] = progress_token
    if era == "modern":
        meta[PROTOCOL_VERSION_META_KEY] = version
        meta[CLIENT_INFO_META_KEY] = CLIENT_INFO
        meta[CLIENT_CAPABILITIES_META_KEY] = dict(capabilities or {})
    return meta


def request_line(
    *, request_id: int, method: str, params: Mapping[str, Any], meta: Mapping[str, Any]
) -> bytes:
    """Return one request without side effects, as a line without its newline."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id, "method": method}
    full = dict(params)
    if meta:
        full["_meta"] = dict(meta)
    if full:
        body["params"] = full
    return dump(body)


def refused_request(request_id: int | str | None) -> dict[str, Any]:
    """Return the answer to a server's request that nobody answers."""
    return {
        "jsonrpc": "2.0",
        "id": request_id,
        "error": {
            "code": METHOD_NOT_FOUND,
            "message": "this client does not answer requests of the server",
        },
    }


def notification_line(method: str, params: Mapping[str, Any] | None = None) -> bytes:
    """Return one notification as a line without its newline."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        body["params"] = dict(params)
    return dump(body)


def call_line(
    *,
    request_id: int,
    name: str,
    arguments: bytes,
    meta: Mapping[str, Any],
    beside: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a `tools/call` whose `arguments` are the given bytes, verbatim.

    `beside` are parameters that stand beside the arguments: answers, and an upstream's own state.
    Raises BadArguments unless they are one JSON object without raw line breaks.
    """
    if b"\n" in arguments or b"\r" in arguments:
        raise BadArguments("the argument bytes hold a raw line break")
    try:
        parsed = json.loads(arguments)
    except (ValueError, RecursionError):
        raise BadArguments("the argument bytes are not JSON") from None
    if not isinstance(parsed, dict):
        raise BadArguments("the argument bytes are not a JSON object")
    return b"".join(
        (
            b'{"jsonrpc":"2.0","id":',
            dump(request_id),
            b',"method":"tools/call","params":{"name":',
            dump(name),
            b',"arguments":',
            arguments,
            *(b"," + dump(key) + b":" + dump(value) for key, value in (beside or {}).items()),
            b',"_meta":' + dump(meta) if meta else b"",
            b"}}",
        )
    )


def header_value(text: str) -> str:
    """Return text as a header value; what would not survive travels as `=?base64?…?=`."""
    plain = _PLAIN_HEADER.fullmatch(text) and text == text.strip()
    if plain and not _LOOKS_ENCODED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8')).decode('ascii')}?="


def routing_headers(era: Era, version: str, *, method: str, name: str | None) -> dict[str, str]:
    """Return the MCP headers of one POST (2026-07-28 transports, "Standard headers")."""
    headers = {"MCP-Protocol-Version": version}
    if era == "modern":
        headers["Mcp-Method"] = method
        if name is not None:
            headers["Mcp-Name"] = header_value(name)
    return headers


def parameter_headers(schema: Mapping[str, Any] | None, arguments: bytes) -> dict[str, str]:
    """Return the `Mcp-Param-*` headers that a tool's schema asks for (`x-mcp-header`).

    Raises BadArguments when the schema's annotations break the rules of 2026-07-28: then the call
    cannot be made as the specification wants it.
    """
    if schema is None or "x-mcp-header" not in (text := json.dumps(schema)):
        return {}
    headers: dict[str, str | None] = {}
    found = 0
    stack: list[tuple[Any, Any]] = [(schema.get("properties"), json.loads(arguments))]
    while stack:
        properties, values = stack.pop()
        if not isinstance(properties, dict):
            continue
        for key, sub in properties.items():
            if not isinstance(sub, dict):
                continue
            value = values.get(key) if isinstance(values, dict) else None
            if "x-mcp-header" in sub:
                found += 1
                _add_parameter_header(headers, sub, value)
            stack.append((sub.get("properties"), value))
    if found != text.count('"x-mcp-header":'):
        raise BadArguments(
            "the tool's schema uses x-mcp-header where the protocol does not allow it"
        )
    return {f"Mcp-Param-{token}": value for token, value in headers.items() if value is not None}


def _add_parameter_header(
    headers: dict[str, str | None], schema: Mapping[str, Any], value: Any
) -> None:
    token = schema["x-mcp-header"]
    well_formed = isinstance(token, str) and _HEADER_TOKEN.fullmatch(token)
    if not well_formed or schema.get("type") not in ("string", "integer", "boolean"):
        raise BadArguments("the tool's schema names an impossible parameter header")
    if token.lower() in {taken.lower() for taken in headers}:
        raise BadArguments(f"the tool's schema names the parameter header {token!r} twice")
    if value is None or isinstance(value, dict | list):
        headers[token] = None
    elif isinstance(value, bool):
        headers[token] = "true" if value else "false"
    else:
        headers[token] = header_value(str(value))
