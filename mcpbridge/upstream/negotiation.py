"""Finding out which protocol era an upstream speaks, and which revision of it.

Knows the two handshakes, not the transport: both the HTTP client and the stdio host hand in how
to ask. Anything but positive evidence of the modern era falls back to `initialize`; an outage is
never taken for an era.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_types import SERVER_INFO_META_KEY
from mcp_types.jsonrpc import UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.version import (
    HANDSHAKE_PROTOCOL_VERSIONS,
    LATEST_HANDSHAKE_VERSION,
    LATEST_MODERN_VERSION,
    MODERN_PROTOCOL_VERSIONS,
)

from mcpbridge.upstream.envelope import CLIENT_INFO, Era
from mcpbridge.upstream.errors import UpstreamUnavailable
from mcpbridge.upstream.replies import Message

Ask = Callable[[str, Mapping[str, Any], Era, str], Awaitable[Message | None]]
"""Send (method, params, era, version); None when no JSON-RPC answer came. May raise
UpstreamUnavailable, which ends the negotiation."""

Notify = Callable[[str, str], Awaitable[None]]
"""Send the notification (method, version)."""


@dataclass(frozen=True)
class Agreement:
    """What both sides settled on. Server info and capabilities are the server's own words."""

    era: Era
    version: str
    server_info: Mapping[str, Any] = field(default_factory=dict)
    capabilities: Mapping[str, Any] = field(default_factory=dict)


async def negotiate(
    ask: Ask,
    notify: Notify,
    *,
    probe: bool = True,
    capabilities: Mapping[str, Any] | None = None,
) -> Agreement:
    """Probe `server/discover`, else `initialize`. Raises UpstreamUnavailable.

    Without `probe` the handshake comes first: for servers known to break at unknown methods.
    `capabilities` are those that a legacy session declares for all of its calls.
    """
    version: str | None = LATEST_MODERN_VERSION if probe else None
    for attempt in range(2):
        if version is not None:
            answer = await ask("server/discover", {}, "modern", version)
            if (agreement := _from_discovery(answer)) is not None:
                return agreement
            version = _named_version(answer)
            if version is not None and attempt == 0:
                continue
        answer = await ask(
            "initialize",
            {
                "protocolVersion": LATEST_HANDSHAKE_VERSION,
                "capabilities": dict(capabilities or {}),
                "clientInfo": CLIENT_INFO,
            },
            "legacy",
            LATEST_HANDSHAKE_VERSION,
        )
        version = _named_version(answer)
        if version is not None and attempt == 0:
            continue
        agreement = _from_handshake(answer)
        await notify("notifications/initialized", agreement.version)
        return agreement
    raise UpstreamUnavailable("the upstream keeps naming a revision that it then does not speak")


def _from_discovery(answer: Message | None) -> Agreement | None:
    if answer is None or answer.kind != "response":
        return None
    result = answer.body["result"]
    supported = result.get("supportedVersions")
    if not isinstance(supported, list):
        return None
    mutual = [known for known in MODERN_PROTOCOL_VERSIONS if known in supported]
    if not mutual:
        return None
    meta = _object(result.get("_meta"))
    return Agreement(
        era="modern",
        version=mutual[-1],
        server_info=_object(meta.get(SERVER_INFO_META_KEY)),
        capabilities=_object(result.get("capabilities")),
    )


def _named_version(answer: Message | None) -> str | None:
    """Return the modern revision that an "unsupported version" error offers, if any."""
    if answer is None or answer.kind != "error":
        return None
    error = answer.body["error"]
    if error["code"] != UNSUPPORTED_PROTOCOL_VERSION:
        return None
    supported = _object(error.get("data")).get("supported")
    if not isinstance(supported, list):
        return None
    mutual = [known for known in MODERN_PROTOCOL_VERSIONS if known in supported]
    if mutual:
        return mutual[-1]
    if not any(known in HANDSHAKE_PROTOCOL_VERSIONS for known in supported):
        named = ", ".join(str(item)[:32] for item in supported[:8])
        raise UpstreamUnavailable(f"the upstream speaks only revisions unknown here: {named}")
    return None


def _from_handshake(answer: Message | None) -> Agreement:
    if answer is None:
        raise UpstreamUnavailable("the upstream answered neither server/discover nor initialize")
    if answer.kind == "error":
        error = answer.body["error"]
        raise UpstreamUnavailable(
            f"the upstream refused initialize: {error['message'][:200]!r} ({error['code']})"
        )
    result = answer.body["result"]
    version = result.get("protocolVersion")
    if version not in HANDSHAKE_PROTOCOL_VERSIONS:
        raise UpstreamUnavailable(
            f"the upstream answered initialize with the unknown revision {str(version)[:32]!r}"
        )
    return Agreement(
        era="legacy",
        version=version,
        server_info=_object(result.get("serverInfo")),
        capabilities=_object(result.get("capabilities")),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
