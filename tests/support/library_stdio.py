"""The library over stdio, as a program: `python library_stdio.py`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from mcp.server.stdio import stdio_server

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.library import Library


async def main() -> None:
    server = Library().server()
    async with stdio_server() as (reader, writer):
        await server.run(reader, writer, server.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(main())
