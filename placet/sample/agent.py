"""A small agent, built on the official SDK's client, that a newcomer can watch.

It reads the scratch repository's log and stages a change, which the sample policy allows, and then
asks for a commit, which a person must approve. It knows a URL, a token and its working folder.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from placet.sample.repository import LIGHTHOUSE, miles, reach_farther

PATIENCE = 60.0  # seconds that a gateway may take to begin to answer
AWAIT_TOOL = "placet__await_ticket"
Say = Callable[[str], None]


@dataclass(frozen=True)
class SampleCall:
    """Where to connect, and which repository to work on."""

    url: str
    token: str
    repository: Path
    patience: float = PATIENCE


class GatewaySilent(Exception):
    """Nobody answers at the gateway's address."""


class TokenRefused(Exception):
    """The gateway is there, and does not accept the token."""


async def run(call: SampleCall, say: Say) -> CallToolResult:
    """Read the log, ask for the commit, wait as long as it takes, and report what came back.

    Raises GatewaySilent when the gateway does not begin to answer in time, and TokenRefused when
    it does not accept the token.
    """
    headers = {"Authorization": f"Bearer {call.token}"}
    timeout = httpx2.Timeout(30, read=None)
    async with httpx2.AsyncClient(headers=headers, timeout=timeout) as http:
        await _until_it_answers(http, call, say)
        async with Client(streamable_http_client(call.url, http_client=http)) as client:
            return await _work(client, call, say)


async def _until_it_answers(http: httpx2.AsyncClient, call: SampleCall, say: Say) -> None:
    """Any answer says that somebody is there; only the refusal of the token ends the story."""
    told = False
    try:
        async with asyncio.timeout(call.patience):
            while True:
                try:
                    answer = await http.get(call.url)
                except httpx2.TransportError:
                    if not told:
                        say(f"finds nobody at {call.url} yet, and tries again")
                    told = True
                    await asyncio.sleep(0.5)
                else:
                    if answer.status_code == HTTPStatus.UNAUTHORIZED:
                        raise TokenRefused(
                            f"the gateway at {call.url} does not accept the sample agent's token:"
                            " it has expired or was revoked. `manage.py seed_sample` renews an"
                            " expired one; after a revocation, issue another on the agent's page"
                        )
                    return
    except TimeoutError:
        raise GatewaySilent(
            f"nobody answered at {call.url} within {call.patience:.0f} s; "
            "`manage.py up` starts the gateway"
        ) from None


async def _work(client: Client, call: SampleCall, say: Say) -> CallToolResult:
    where = {"repo_path": str(call.repository)}
    log = await client.call_tool("git__git_log", {**where, "max_count": 3})
    say(f"read the log without asking: {_first_line(log)}")
    await _stage(client, call)
    message = f"Let the light reach {miles(call.repository)} miles"
    say(f"asks for a commit: “{message}”. Waiting for a person…")
    progress = _Progress(say)
    result = await client.call_tool(
        "git__git_commit",
        {**where, "message": message},
        progress_callback=progress,
    )
    while (ticket := _pending_ticket(result)) is not None:
        result = await client.call_tool(
            AWAIT_TOOL, {"ticket_id": ticket}, progress_callback=progress
        )
    say(("was told: " if result.is_error else "received: ") + text_of(result))
    return result


async def _stage(client: Client, call: SampleCall) -> None:
    """See to it that there is something to commit; what is staged already stays as it is."""
    where = {"repo_path": str(call.repository)}
    staged = await client.call_tool("git__git_diff_staged", where)
    if "diff --git" not in text_of(staged):
        reach_farther(call.repository)
        await client.call_tool("git__git_add", {**where, "files": [LIGHTHOUSE]})


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
