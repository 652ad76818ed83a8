"""From a decision to the agent (rejection) and to the upstream (approval), process to process.

One ticket at a time: the agent's request is held by the web process, another process decides, a
worker executes. Rejections and approvals alternate. The clock starts just before the decision is
handed to the ledger, so its commit is part of every figure.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import time
from pathlib import Path

from approvals.models import Ticket
from mcpbridge.offload import in_database
from tests.bench.figures import Row, milliseconds
from tests.bench.stage import Caller, Stage, a_child, a_stage, line_of, web_client
from tests.support import witness as witnesses
from tests.support.bridge import ASK_NOTES
from tests.support.databases import RealDatabase
from tests.support.waiting import eventually_async
from tests.support.witness import Witness

WARM_UP = 10


def main(database: RealDatabase, arguments: list[str]) -> list[Row]:
    """One row for each stretch of the way."""
    rounds = 40 if "quick" in arguments else 300
    folder = Path(database.name).parent if database.engine == "sqlite3" else None
    witness = witnesses.start((folder or Path("/tmp")) / f"placet-w-{secrets.token_hex(4)}")
    try:
        with (
            a_stage(database, upstream=witness.url, rules=[ASK_NOTES], worker=True) as stage,
            a_child("tests.bench.decider", env=stage.placet.env) as decider,
        ):
            assert line_of(decider) == "ready"
            return asyncio.run(_measure(stage, witness, decider, rounds))
    finally:
        witness.stop()


async def _measure(
    stage: Stage, witness: Witness, decider: subprocess.Popen[str], rounds: int
) -> list[Row]:
    stretches: dict[str, list[float]] = {
        "the decision itself (commit)": [],
        "rejection → agent": [],
        "committed rejection → agent": [],
        "approval → upstream has it": [],
        "committed approval → upstream has it": [],
        "approval → agent": [],
    }
    commit, rejected, woken, sent, started, executed = stretches.values()
    async with web_client() as http:
        caller = Caller(http, f"{stage.placet.url}/mcp", "witness__write_note", secret=stage.secret)
        for number in range(2 * (rounds + WARM_UP)):
            verdict = "reject" if number % 2 else "approve"
            note, began, committed, told = await _one(stage, caller, decider, verdict)
            if number < 2 * WARM_UP:
                continue
            commit.append(committed - began)
            if verdict == "reject":
                rejected.append(told - began)
                woken.append(told - committed)
            else:
                [arrived] = [
                    call["at"] for call in witness.calls() if call["arguments"]["note"] == note
                ]
                sent.append(arrived - began)
                started.append(arrived - committed)
                executed.append(told - began)
    return [{"stretch": name, **milliseconds(found)} for name, found in stretches.items()]


async def _one(
    stage: Stage, caller: Caller, decider: subprocess.Popen[str], verdict: str
) -> tuple[str, float, float, float]:
    note = secrets.token_hex(8)

    async def held() -> float:
        await caller.call({"note": note}, expect=b"noted" if verdict == "approve" else b"Rejected")
        return time.time()

    call = asyncio.create_task(held())
    uid = await eventually_async(lambda: in_database(_pending), within=20)
    asked = {"uid": str(uid), "verdict": verdict, "user": stage.bridge.cast.bob.pk}
    assert decider.stdin is not None
    decider.stdin.write(json.dumps(asked, default=str) + "\n")
    decider.stdin.flush()
    answer = json.loads(await asyncio.to_thread(line_of, decider))
    return note, answer["began"], answer["committed"], await call


def _pending() -> str | None:
    found = Ticket.objects.filter(state="pending", holder__isnull=False)
    return found.values_list("uid", flat=True).first()
