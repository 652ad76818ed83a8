"""The witness's tools and record. Standard library only; knows no transport."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26")
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
INFO_KEY = "io.modelcontextprotocol/serverInfo"
INFO = {"name": "witness", "version": "1"}


def _schema(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


TOOLS: list[dict[str, Any]] = [
    {
        "name": "echo",
        "description": "Returns its text.",
        "inputSchema": _schema(text={"type": "string"}),
        "annotations": {"readOnlyHint": True},
        "xUnknownField": {"kept": True},
    },
    {
        "name": "write_note",
        "description": "Appends a note to the notebook. Cannot be undone.",
        "inputSchema": _schema(note={"type": "string"}),
        "annotations": {"destructiveHint": True},
    },
    {
        "name": "slow",
        "description": "Answers after so many seconds, with progress.",
        "inputSchema": _schema(seconds={"type": "number"}),
    },
    {"name": "fail", "description": "Fails.", "inputSchema": _schema()},
    {
        "name": "rpc_error",
        "description": "Answers with a JSON-RPC error.",
        "inputSchema": _schema(),
    },
    {
        "name": "big",
        "description": "Answers with n bytes of text.",
        "inputSchema": _schema(n={"type": "integer"}),
    },
    {"name": "ask", "description": "Asks the client a question first.", "inputSchema": _schema()},
    {"name": "count", "description": "Counts its calls in this process.", "inputSchema": _schema()},
    {
        "name": "regional",
        "description": "Wants its region in a header.",
        "inputSchema": _schema(region={"type": "string", "x-mcp-header": "Region"}),
    },
]


def revise(name: str) -> None:
    """Let a tool describe itself in other words from now on."""
    for tool in TOOLS:
        if tool["name"] == name:
            tool["description"] += " Now also tells everybody."


class Record:
    """Appends JSON lines and does not return before they are on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counted = 0

    def call(self, **facts: Any) -> None:
        self._append("calls.jsonl", facts)

    def event(self, **facts: Any) -> None:
        self._append("events.jsonl", facts)

    def held(self) -> bool:
        return (self.folder / "hold").exists()

    def _append(self, name: str, facts: dict[str, Any]) -> None:
        line = json.dumps({**facts, "pid": os.getpid(), "at": time.time()}) + "\n"
        handle = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)


def text(value: str, *, is_error: bool = False) -> dict[str, Any]:
    result: dict[str, Any] = {"content": [{"type": "text", "text": value}], "xKept": [1, 2.5]}
    if is_error:
        result["isError"] = True
    return result


def run_tool(record: Record, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The result of a tool, or {"rpc": error}; `slow` has been waited for already."""
    if name == "echo":
        return text(str(arguments.get("text")))
    if name == "write_note":
        with (record.folder / "notebook.txt").open("a") as notebook:
            notebook.write(str(arguments.get("note")) + "\n")
        return text("noted")
    if name == "slow":
        return text(f"waited {arguments.get('seconds')} s")
    if name == "fail":
        return text("the tool failed", is_error=True)
    if name == "rpc_error":
        code = int(arguments.get("code", -32602))
        return {"rpc": {"code": code, "message": "no such luck", "data": {"why": "asked for"}}}
    if name == "big":
        return text("x" * int(arguments.get("n", 0)))
    if name == "count":
        record.counted += 1
        return text(str(record.counted))
    if name == "regional":
        return text(str(arguments.get("region")))
    return {"rpc": {"code": -32602, "message": f"Unknown tool: {name}"}}


def basics(method: str, params: dict[str, Any], era: str) -> dict[str, Any] | None:
    """The result or {"rpc": error} of everything but tools/call; None when it is not ours."""
    if method == "server/discover":
        if era == "legacy":
            return {"rpc": {"code": -32601, "message": "Method not found"}}
        return {
            "resultType": "complete",
            "ttlMs": 0,
            "cacheScope": "private",
            "supportedVersions": [MODERN],
            "capabilities": {"tools": {}},
            "_meta": {INFO_KEY: INFO},
        }
    if method == "initialize":
        if era == "modern":
            data = {"supported": [MODERN], "requested": params.get("protocolVersion")}
            return {"rpc": {"code": -32022, "message": "Unsupported version", "data": data}}
        asked = params.get("protocolVersion")
        version = asked if asked in LEGACY else LEGACY[0]
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": INFO}
    if method == "ping":
        return {}
    if method == "tools/list":
        start = int(params.get("cursor", 0))
        page: dict[str, Any] = {"tools": TOOLS[start : start + 5]}
        if start + 5 < len(TOOLS):
            page["nextCursor"] = str(start + 5)
        if VERSION_KEY in params.get("_meta", {}):
            page |= {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        return page
    if method != "tools/call":
        return {"rpc": {"code": -32601, "message": "Method not found"}}
    return None


def reply(request_id: Any, outcome: dict[str, Any]) -> dict[str, Any]:
    if "rpc" in outcome:
        return {"jsonrpc": "2.0", "id": request_id, "error": outcome["rpc"]}
    return {"jsonrpc": "2.0", "id": request_id, "result": outcome}
