"""A stdio host in a process of its own that can be killed: `python host_process.py FOLDER KIND`.

It runs the witness with a given mischief as upstream `w` and prints `ready` once it serves.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.mcpbridge.upstream.conftest import HostForTests


async def main() -> None:
    folder, kind, mischief = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    host = HostForTests(folder, kind)  # type: ignore[arg-type]  # one of the kinds
    host.witness(mischief=mischief)
    await host.start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
