"""The witness's tools without its record: an upstream that is as fast as one in Python can be."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.support.witness import core
from tests.support.witness.over_http import HttpWitness


class _Arrivals(core.Record):
    """Keeps nothing on the disk."""

    def call(self, **facts: Any) -> None:
        """Forget it."""

    def event(self, **facts: Any) -> None:
        """Forget it."""

    def held(self) -> bool:
        """Never."""
        return False


async def main() -> None:
    """Serve until killed; the first line says where."""
    server = HttpWitness(Path(), era="both")
    server.record = _Arrivals(Path())
    print(await server.start(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
