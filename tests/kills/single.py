"""The kills over one database, in the process that `tests.support.standalone` made for it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from mcpbridge import offload
from tests.kills.harness import Tally, a_harness
from tests.support.databases import RealDatabase
from tests.support.valkey import ValkeyServer


def main(database: RealDatabase, arguments: list[str]) -> list[dict[str, Any]]:
    """`arguments`: calls per window, calls per kill. A row for each window."""
    rounds, batch = (int(argument) for argument in arguments)
    broker = ValkeyServer()
    folder = Path(tempfile.mkdtemp(prefix="placet-k-"))

    async def run() -> list[Tally]:
        async with a_harness(database=database, broker=broker, folder=folder) as harness:
            return await harness.run(rounds, batch=batch)

    try:
        broker.start()
        tallies = asyncio.run(run())
    finally:
        offload.shutdown()
        broker.remove()
        shutil.rmtree(folder, ignore_errors=True)
    return [
        {"engine": database.engine, "late": tally.is_late(), **vars(tally)} for tally in tallies
    ]
