"""Results as they go over the wire: outcomes, tool lists, and the envelope of each era.

Dicts in, dicts out: the SDK's typed models would drop what they do not know, so what an upstream
said is passed on as it is, under an envelope that is ours. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mcp_types import SERVER_INFO_META_KEY

from mcpbridge.calls.dispositions import DISPOSITION_KEY
from mcpbridge.calls.naming import AWAIT_TICKET
from mcpbridge.calls.outcome import Outcome
from mcpbridge.calls.wording import call_result

LIST_TTL_MS: Final = 30_000
EVENT_BYTES: Final = 1_000_000  # official clients refuse events of more than 1 MiB
_ENVELOPE: Final = ("resultType", "ttlMs", "cacheScope")

AWAIT_TICKET_TOOL: Final[dict[str, Any]] = {
    "name": AWAIT_TICKET,
    "title": "Wait for a ticket",
    "description": (
        "Waits for the outcome of an earlier call that people have to approve. Use it with the "
        "ticket_id of a result that said the call is pending. It never executes anything by "
        "itself, and may be called as often as needed; a result that is still pending means: "
        "call it again."
    ),
    "inputSchema": {
        "type": "object",
        "properties": {
            "ticket_id": {
                "type": "string",
                "format": "uuid",
                "description": "The ticket_id of the pending result.",
            }
        },
        "required": ["ticket_id"],
        "additionalProperties": False,
    },
    "annotations": {
        "title": "Wait for a ticket",
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    },
}


def outcome_result(
    outcome: Outcome, *, is_modern: bool, definition: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """An outcome as the result of `tools/call` on a tool of this definition."""
    has_schema = isinstance((definition or {}).get("outputSchema"), dict)
    return dict(call_result(outcome, has_output_schema=has_schema, is_modern=is_modern))


def failure_result(*, waited: bool) -> dict[str, Any]:
    """What is told when something broke here: no more than is known."""
    if waited:
        text = f"The ticket cannot be looked at now. In a moment, call {AWAIT_TICKET} again."
        return {"content": [{"type": "text", "text": text}], "isError": True}
    text = (
        "Something broke in the gateway, so the outcome of this call is not known: it may or may "
        "not have been executed. Do not repeat it before you know."
    )
    return {
        "content": [{"type": "text", "text": text}],
        "isError": True,
        "_meta": {DISPOSITION_KEY: "outcome-unknown"},
    }


def tool_list(tools: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The result of `tools/list`: pinned definitions under the agent's names, and our own tool."""
    listed: list[dict[str, Any]] = [{**definition, "name": name} for name, definition in tools]
    return {
        "tools": [*listed, AWAIT_TICKET_TOOL],
        "ttlMs": LIST_TTL_MS,
        "cacheScope": "private",
    }


def enveloped(
    result: Mapping[str, Any],
    *,
    is_modern: bool,
    server_info: Mapping[str, Any] | None,
    result_type: str = "complete",
) -> dict[str, Any]:
    """A result in its era's envelope. What an upstream says of the envelope never counts."""
    merged = dict(result)
    theirs = merged.pop("_meta", None)
    meta = {
        key: value
        for key, value in (theirs if isinstance(theirs, Mapping) else {}).items()
        if key != SERVER_INFO_META_KEY
    }
    if is_modern:
        merged["resultType"] = result_type
        if server_info is not None:
            meta[SERVER_INFO_META_KEY] = dict(server_info)
    else:
        for key in _ENVELOPE:
            merged.pop(key, None)
    if meta:
        merged["_meta"] = meta
    return merged


def too_large_for_an_event(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is told instead of a result that no event may carry; None where it fits."""
    size = size_of(result)
    if size <= EVENT_BYTES:
        return None
    meta = result.get("_meta")
    return {
        "content": [
            {
                "type": "text",
                "text": (
                    f"The call was executed, but its answer of {size} bytes does not fit into one "
                    f"event of at most {EVENT_BYTES} bytes and is not delivered. Do not repeat "
                    "the call to see it; ask for less at a time."
                ),
            }
        ],
        "isError": True,
        **({"_meta": dict(meta)} if isinstance(meta, Mapping) else {}),
    }


def size_of(result: Mapping[str, Any]) -> int:
    """How many bytes a result takes on the wire."""
    return len(json.dumps(result, separators=(",", ":"), ensure_ascii=False).encode())
