"""Runs all outside clients at once against a whole installation, in a child process."""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from approvals import api
from approvals.audit.sealing import unseal
from approvals.models import Ticket
from mcpbridge.offload import in_database
from tests.outside.clients import PACES, Judge, Pace, judges_at
from tests.outside.installation import Installation, an_installation
from tests.outside.node import NODE, environment, judges, package_file
from tests.support import witness as witnesses
from tests.support.bridge import ASK_NOTES
from tests.support.databases import RealDatabase
from tests.support.plain_http import http_client
from tests.support.processes import ROOT
from tests.support.waiting import eventually_async
from tests.support.witness import Witness

SCRIPT = ROOT / "tests" / "outside" / "clients" / "typescript.mjs"
INSPECTOR = ("@modelcontextprotocol/inspector", "clients/launcher/build/index.js")
TOOL = "write_note"


@dataclass
class Told:
    """What a client's program says about its call."""

    text: str = ""
    error: str = ""
    handovers: int = 0
    reports: int = 0
    gave_up: int = 0


def main(database: RealDatabase, arguments: list[str]) -> dict[str, dict[str, Any]]:
    """The child's part: the story at the pace named."""
    return asyncio.run(_story(database, PACES[arguments[0]]))


async def _story(database: RealDatabase, pace: Pace) -> dict[str, dict[str, Any]]:
    judges()
    with tempfile.TemporaryDirectory(prefix="placet-w-") as folder:
        witness = witnesses.start(Path(folder) / "witness")
        try:
            async with an_installation(
                database,
                upstreams={"witness": {"url": witness.url}},
                rules=(ASK_NOTES,),
                thinking=pace.thinking,
                agent={"grace_seconds": pace.grace},
            ) as house:
                brisk = await house.another_agent(
                    "brisk", grace_seconds=pace.grace, hold_seconds=pace.hold
                )
                return await _all_at_once(house, witness, pace, brisk)
        finally:
            witness.stop()


async def _all_at_once(
    house: Installation, witness: Witness, pace: Pace, brisk: str
) -> dict[str, dict[str, Any]]:
    async def one(judge: Judge) -> tuple[str, dict[str, Any]]:
        token = house.secret if judge.listens or judge.program == "inspector" else brisk
        url = f"{house.placet.url}/mcp/u/witness"
        began = time.monotonic()
        try:
            told = await asyncio.wait_for(
                _PROGRAMS[judge.program](judge, pace, url, token), pace.thinking * 2 + 30
            )
        except Exception as problem:  # noqa: BLE001  # the table shows what any client met
            told = Told(error=f"{type(problem).__name__}: {problem}"[:2000])
        seconds = round(time.monotonic() - began, 1)
        return judge.name, {"seconds": seconds, **told.__dict__}

    chosen = judges_at(pace)
    found = dict(await asyncio.gather(*(one(judge) for judge in chosen)))
    for judge in chosen:
        found[judge.name] |= await _what_became_of(judge, house, witness)
    return found


async def _what_became_of(judge: Judge, house: Installation, witness: Witness) -> dict[str, Any]:
    """Its tickets and executions; of a client that has gone, after a late approval was tried."""
    refused = False
    if not judge.returns:

        async def is_over() -> bool:
            return all(t.ended_at for t in await in_database(_tickets_of, judge))

        await eventually_async(is_over, within=60, why=f"the ticket of {judge.name} is over")
        refused = await in_database(_late_approval_is_refused, judge, house)
    tickets = await in_database(_tickets_of, judge)
    written = [call["arguments"]["note"] for call in witness.calls()]
    return {
        "tickets": len(tickets),
        "state": tickets[-1].state if tickets else "",
        "waiting": tickets[-1].waiting if tickets else "",
        "executed": written.count(judge.name),
        "late_approval_refused": refused,
    }


def _tickets_of(judge: Judge) -> list[Ticket]:
    return [
        ticket
        for ticket in Ticket.objects.select_related("arguments").order_by("id")
        if json.loads(unseal(ticket.arguments)) == {"note": judge.name}
    ]


def _late_approval_is_refused(judge: Judge, house: Installation) -> bool:
    ticket = _tickets_of(judge)[-1]
    try:
        api.decide(
            uid=ticket.uid,
            user=house.cast.bob,
            verdict=api.Answer.APPROVE,
            seen_digest=bytes(ticket.digest),
            reason="",
            nonce=secrets.token_hex(16),
        )
    except api.Refusal:
        return True
    return False


async def _python(judge: Judge, pace: Pace, url: str, token: str) -> Told:
    told = Told()

    async def heard(*_progress: Any) -> None:
        told.reports += 1

    async with AsyncExitStack() as stack:
        headers = {"authorization": f"Bearer {token}"}
        http = http_client(headers=headers, timeout=300)
        await stack.enter_async_context(http)
        mode = "legacy" if judge.era == "legacy" else "auto"
        transport = streamable_http_client(url, http_client=http)
        client = await stack.enter_async_context(Client(transport, mode=mode))
        more = {"progress_callback": heard} if judge.listens else {}
        result = await client.call_tool(TOOL, {"note": judge.name}, **more)
        while (result.structured_content or {}).get("status") == "pending":
            told.handovers += 1
            said = result.structured_content or {}
            result = await client.call_tool(
                said["next_tool"], {"ticket_id": said["ticket_id"]}, **more
            )
    told.text = "\n".join(part.text for part in result.content)
    return told


async def _typescript(judge: Judge, pace: Pace, url: str, token: str) -> Told:
    asked = {
        "packages": str(judges()),
        "sdk": judge.program,
        "era": judge.era,
        "url": url,
        "token": token,
        "tool": TOOL,
        "arguments": {"note": judge.name},
        "options": {
            "timeout": pace.patience * 1000,
            "listen": judge.listens,
            "resetTimeoutOnProgress": judge.resets,
        },
        "again": judge.again,
    }
    said = json.loads(await _node(str(SCRIPT), json.dumps(asked)))
    return Told(
        text=_text_of(said.get("result") or {}),
        error=said.get("error", ""),
        handovers=said["handovers"],
        reports=said["reports"],
        gave_up=len(said["gaveUp"]),
    )


async def _inspector(judge: Judge, pace: Pace, url: str, token: str) -> Told:
    with tempfile.TemporaryDirectory(prefix="placet-home-") as home:
        said = await _node(
            str(package_file(*INSPECTOR)),
            *("--cli", url, "--transport", "http", "--protocol-era", judge.era),
            *("--header", f"Authorization: Bearer {token}", "--format", "json", "--quiet"),
            *("--method", "tools/call", "--tool-name", TOOL),
            *("--tool-args-json", json.dumps({"note": judge.name})),
            HOME=home,
        )
    found = json.loads(said)
    return Told(text=_text_of(found.get("result", found)))


async def _node(*argv: str, **variables: str) -> str:
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        *argv,
        env=environment(**variables),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, problems = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not out.strip():
        raise RuntimeError(f"ended with {process.returncode}: {problems.decode()[-1500:]}")
    return out.decode()


def _text_of(result: dict[str, Any]) -> str:
    return "\n".join(part.get("text", "") for part in result.get("content", []))


_PROGRAMS = {
    "python": _python,
    "v1": _typescript,
    "v2": _typescript,
    "inspector": _inspector,
}
