"""fastmcp's proxy, run by an interpreter that has fastmcp: `… PORT UPSTREAM default|connected`.

`default` is what its documentation shows; `connected` keeps one client open for all calls.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import Any


async def main(port: str, upstream: str, way: str) -> None:
    """Serve until killed."""
    fastmcp: Any = importlib.import_module("fastmcp")
    server: Any = importlib.import_module("fastmcp.server")
    options = {"port": int(port), "show_banner": False, "uvicorn_config": {"access_log": False}}
    options |= {"host": "127.0.0.1", "log_level": "error", "transport": "http"}
    if way == "default":
        await server.create_proxy(upstream).run_async(**options)
        return
    async with fastmcp.Client(upstream) as client:
        await server.create_proxy(client).run_async(**options)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
