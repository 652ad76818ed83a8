"""One tool call as an agent asked for it, and what of its `_meta` counts.

Only the progress token, the trace context, the idempotency key and the log level are read;
nothing else of `_meta` is kept or forwarded. Knows no transport.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from mcpbridge.calls.limits import (
    MAX_IDEMPOTENCY_KEY,
    MAX_PROGRESS_TOKEN,
    MAX_SAFE_INTEGER,
    MAX_TRACESTATE,
)
from mcpbridge.calls.strict_json import JSON

PROGRESS_TOKEN_KEY: Final = "progressToken"  # noqa: S105 (a key of the protocol)
TRACEPARENT_KEY: Final = "traceparent"
TRACESTATE_KEY: Final = "tracestate"
IDEMPOTENCY_KEY: Final = "placet/idempotency-key"
LOG_LEVEL_KEY: Final = "io.modelcontextprotocol/logLevel"
LOG_LEVELS: Final = (
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
)
TASKS_EXTENSION: Final = "io.modelcontextprotocol/tasks"
MODERN_SINCE: Final = "2026-07-28"

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")
_TRACESTATE_MEMBER = re.compile(
    r"[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]\Z"
)
_MAX_TRACESTATE_MEMBERS: Final = 32
_PRINTABLE = re.compile(r"[\x20-\x7e]+\Z")
_MAX_DECLARED: Final = 200

type ProgressToken = str | int


class BadMeta(ValueError):
    """A field of `_meta` that is understood but not valid; `key` names it."""

    def __init__(self, key: str, expected: str) -> None:
        self.key = key
        super().__init__(f"_meta {key!r} must be {expected}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """A valid W3C trace context (level 1); `tracestate` is empty where none came."""

    traceparent: str
    tracestate: str = ""

    @property
    def trace_id(self) -> str:
        """The 32 hexadecimal digits that logs correlate by."""
        return self.traceparent[3:35]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMeta:
    """What of a request's `_meta` counts."""

    progress_token: ProgressToken | None = None
    trace: TraceContext | None = None
    idempotency_key: str | None = None
    log_level: str = ""  # the least severe log messages that the agent wants; empty: unsaid

    def forwarded(self) -> dict[str, JSON]:
        """The `_meta` that an upstream may see. Its caller replaces the progress token."""
        meta: dict[str, JSON] = {}
        if self.progress_token is not None:
            meta[PROGRESS_TOKEN_KEY] = self.progress_token
        if self.trace is not None:
            meta[TRACEPARENT_KEY] = self.trace.traceparent
            if self.trace.tracestate:
                meta[TRACESTATE_KEY] = self.trace.tracestate
        if self.log_level:
            meta[LOG_LEVEL_KEY] = self.log_level
        return meta


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDeclaration:
    """What the agent's client says of itself. Never evidence, only a hint how to answer."""

    protocol_version: str
    name: str = ""
    version: str = ""
    tasks: bool = False

    @property
    def is_modern(self) -> bool:
        """Whether the revision is stateless: `input_required` exists, a closed stream cancels."""
        return self.protocol_version >= MODERN_SINCE


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call of one tool. `arguments_bytes` are the exact canonical bytes that would be sent."""

    upstream: str
    tool: str
    arguments: dict[str, JSON] = field(repr=False)
    arguments_bytes: bytes = field(repr=False)
    meta: RequestMeta = RequestMeta()
    client: ClientDeclaration


def request_meta(meta: JSON) -> RequestMeta:
    """What counts of a request's `_meta`; None is no `_meta`.

    Raises BadMeta for a bad progress token or idempotency key. A bad trace context is ignored,
    as W3C asks, and so is everything unknown.
    """
    if meta is None:
        return RequestMeta()
    if not isinstance(meta, dict):
        raise BadMeta("_meta", "an object")
    return RequestMeta(
        progress_token=_progress_token(meta.get(PROGRESS_TOKEN_KEY)),
        trace=_trace(meta.get(TRACEPARENT_KEY), meta.get(TRACESTATE_KEY)),
        idempotency_key=_idempotency_key(meta.get(IDEMPOTENCY_KEY)),
        log_level=_log_level(meta.get(LOG_LEVEL_KEY)),
    )


def client_declaration(
    *, protocol_version: str, client_info: JSON = None, capabilities: JSON = None
) -> ClientDeclaration:
    """What `clientInfo` and `clientCapabilities` declare; hostile shapes say nothing."""
    info = client_info if isinstance(client_info, dict) else {}
    declared = capabilities if isinstance(capabilities, dict) else {}
    extensions = declared.get("extensions")
    return ClientDeclaration(
        protocol_version=protocol_version,
        name=_declared(info.get("name")),
        version=_declared(info.get("version")),
        tasks=isinstance(extensions, dict) and isinstance(extensions.get(TASKS_EXTENSION), dict),
    )


def _declared(value: JSON) -> str:
    """A declared name, short and printable, fit for a log line and a look-up."""
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value[:_MAX_DECLARED] if c.isprintable()).strip()


def _progress_token(value: JSON) -> ProgressToken | None:
    if value is None:
        return None
    if isinstance(value, str) and len(value) <= MAX_PROGRESS_TOKEN:
        return value
    if type(value) is int and abs(value) <= MAX_SAFE_INTEGER:
        return value
    raise BadMeta(
        PROGRESS_TOKEN_KEY, f"an integer or a string of at most {MAX_PROGRESS_TOKEN} characters"
    )


def _idempotency_key(value: JSON) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and len(value) <= MAX_IDEMPOTENCY_KEY and _PRINTABLE.match(value):
        return value
    raise BadMeta(IDEMPOTENCY_KEY, f"1..{MAX_IDEMPOTENCY_KEY} printable ASCII characters")


def _log_level(value: JSON) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and value in LOG_LEVELS:
        return value
    raise BadMeta(LOG_LEVEL_KEY, "one of " + ", ".join(LOG_LEVELS))


def is_wanted(level: object, least: str) -> bool:
    """Whether a log message of `level` is for somebody who wants those from `least` on.

    Where nothing was said, everything is; a level that does not exist is for nobody.
    """
    if level not in LOG_LEVELS:
        return False
    return not least or LOG_LEVELS.index(str(level)) >= LOG_LEVELS.index(least)


def _trace(parent: JSON, state: JSON) -> TraceContext | None:
    """A trace context of version 00; an unreadable state is dropped alone."""
    if not isinstance(parent, str):
        return None
    found = _TRACEPARENT.match(parent)
    if not found or found[1] != "00" or set(found[2]) == {"0"} or set(found[3]) == {"0"}:
        return None
    return TraceContext(traceparent=parent, tracestate=_tracestate(state))


def _tracestate(state: JSON) -> str:
    if not isinstance(state, str) or not 0 < len(state) <= MAX_TRACESTATE:
        return ""
    members = [member.strip(" \t") for member in state.split(",")]
    members = [member for member in members if member]
    if len(members) > _MAX_TRACESTATE_MEMBERS:
        return ""
    if not all(_TRACESTATE_MEMBER.match(member) for member in members):
        return ""
    keys = [member.partition("=")[0] for member in members]
    return ",".join(members) if len(set(keys)) == len(keys) else ""
