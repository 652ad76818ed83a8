"""A real Valkey server in a folder of its own; it can be flushed, stopped and started again."""

import shutil
import tempfile
from pathlib import Path

import redis

from placet.up.broker import find_broker, server_command
from tests.support.processes import Running
from tests.support.waiting import eventually


class ValkeyServer:
    """Valkey on a Unix socket with a short path."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="placet-v-"))
        self.socket = self.folder / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self.running: Running | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = server_command(find_broker(), self.socket)
        self.running = Running(command, log=self.folder / "log", cwd=self.folder)
        eventually(self.answers, why="valkey answers")

    def answers(self) -> bool:
        """Whether it answers a PING."""
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except (redis.RedisError, OSError):
            return False

    def flush(self) -> None:
        """Throw away everything that it holds."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def stop(self) -> None:
        """Stop the server; its address stays the same for the next start."""
        if self.running:
            self.running.stop(within=5)
            self.running = None
        self.socket.unlink(missing_ok=True)

    def remove(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
