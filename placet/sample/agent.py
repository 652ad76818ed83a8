"""A small agent, built on the official SDK's client, that a newcomer can watch.

It reads the scratch repository's log, which the sample policy allows, and then asks for a
commit, which a person must approve. It knows only a URL and a token, as any agent would.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

COMMIT_MESSAGE = "Let the light reach 21 miles"
AWAIT_TOOL = "placet__await_ticket"
Say = Callable[[str], None]


@dataclass(frozen=True)
class SampleCall:
    """Where to connect and which repository to work on."""

    url: str
    token: str
    repository: Path


async def run(call: SampleCall, say: Say) -> CallToolResult:
    """Read the log, ask for the commit, wait as long as it takes, and report what came back."""
    headers = {"Authorization": f"Bearer {call.token}"}
    timeout = httpx2.Timeout(30, read=None)
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout) as http,
        Client(streamable_http_client(call.url, http_client=http)) as client,
    ):
        where = {"repo_path": str(call.repository)}
        log = await client.call_tool("git__git_log", {**where, "max_count": 3})
        say(f"read the log without asking: {_first_line(log)}")
        say(f"asks for a commit: “{COMMIT_MESSAGE}”. Waiting for a person…")
        progress = _Progress(say)
        result = await client.call_tool(
            "git__git_commit",
            {**where, "message": COMMIT_MESSAGE},
            progress_callback=progress,
        )
        while (ticket := _pending_ticket(result)) is not None:
            result = await client.call_tool(
                AWAIT_TOOL, {"ticket_id": ticket}, progress_callback=progress
            )
        say(("was told: " if result.is_error else "received: ") + text_of(result))
        return result


class _Progress:
    """Says each new progress message once; the gateway repeats it to keep the call alive."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._last: str | None = None

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        if message and message != self._last:
            self._last = message
            self._say(message)


def _pending_ticket(result: CallToolResult) -> str | None:
    """The ticket to come back for, when the call was handed over instead of answered."""
    content: Any = result.structured_content
    if isinstance(content, dict) and content.get("status") == "pending":
        ticket = content.get("ticket_id")
        return ticket if isinstance(ticket, str) else None
    return None


def text_of(result: CallToolResult) -> str:
    """What an answer says to a model, as text."""
    parts = [part.text for part in result.content if isinstance(part, TextContent)]
    return "\n".join(parts) or json.dumps(result.structured_content)


def _first_line(result: CallToolResult) -> str:
    lines = [line.strip() for line in text_of(result).splitlines() if "Message" in line]
    return lines[0] if lines else text_of(result).splitlines()[0]
