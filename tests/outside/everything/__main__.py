"""Serves the everything server on a free port of loopback and prints its address."""

from __future__ import annotations

import argparse

import uvicorn

from tests.outside.everything.server import Everything
from tests.support.ports import listening_socket


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.outside.everything")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    app = Everything().server().streamable_http_app(host="127.0.0.1")
    if options.port:
        print(f"http://127.0.0.1:{options.port}/mcp", flush=True)
        uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", ws="none")
        return
    sock = listening_socket()
    print(f"http://127.0.0.1:{sock.getsockname()[1]}/mcp", flush=True)
    uvicorn.run(app, fd=sock.fileno(), log_level="warning", ws="none")


if __name__ == "__main__":
    main()
