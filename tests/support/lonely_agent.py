"""An agent in a process of its own that asks for one note and may be killed while it waits.

python -m tests.support.lonely_agent URL ERA TOOL NOTE        (its token is in AGENT_TOKEN)
"""

from __future__ import annotations

import asyncio
import os
import sys

from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.plain_http import http_client


async def main(url: str, era: str, tool: str, note: str) -> None:
    mode = "legacy" if era == "legacy" else "auto"
    headers = {"authorization": f"Bearer {os.environ['AGENT_TOKEN']}"}
    async with http_client(headers=headers, timeout=120) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            print(await client.call_tool(tool, {"note": note}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
