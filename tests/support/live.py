"""A whole Placet as real processes: Daphne, Celery worker, stdio host, over one database."""

import base64
import os
import socket
import urllib.error
import urllib.request
from pathlib import Path

from django.conf import settings

from placet.env import read_environment
from placet.up import programs
from placet.up.programs import Program
from tests.support.databases import RealDatabase
from tests.support.ports import listening_socket
from tests.support.processes import ROOT, Running
from tests.support.valkey import ValkeyServer
from tests.support.waiting import eventually

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")


class LivePlacet:
    """Starts and stops an installation's processes; each can be killed and started again."""

    def __init__(
        self,
        *,
        database: RealDatabase,
        broker: ValkeyServer | None,
        folder: Path,
        variables: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.sockets: list[socket.socket] = []
        self.running: list[Running] = []
        self.web_socket = self._listen()
        self.port = int(self.web_socket.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        data = folder / "var"
        self.env = {
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            "PLACET_DATA_DIR": str(data),
            "PLACET_PORT": str(self.port),
            "PLACET_SAMPLE": "0",
            "PLACET_LOG_LEVEL": "INFO",
            "DATABASE_URL": database.url,
            "REDIS_URL": broker.url if broker else f"unix://{folder}/nowhere.sock",
            "PYTHONUNBUFFERED": "1",
            # This process may read and write the same rows, hence the same keys.
            **_keys_of_this_process(),
            **(variables or {}),
        }
        self.web: Running | None = None
        self.worker: Running | None = None
        self.stdio_host: Running | None = None

    def start(self, *, worker: bool = True, stdio_host: bool = False) -> "LivePlacet":
        """Start the web process and what else is asked for; returns when both listen."""
        self.start_web()
        if worker:
            self.start_worker()
        if stdio_host:
            self.start_stdio_host()
        self.wait_for_web()
        if stdio_host:
            self._wait_for_stdio_host()
        return self

    def start_web(self) -> Running:
        """Daphne on the installation's port."""
        self.web = self.run(programs.web(self.web_socket.fileno()))
        return self.web

    def start_second_web(self) -> tuple[Running, str]:
        """Another web process over the same rows; returns it and its address."""
        sock = self._listen()
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        env = {"PLACET_PORT": str(sock.getsockname()[1]), "PLACET_PUBLIC_URL": url}
        running = self.run(programs.web(sock.fileno()), **env)
        eventually(lambda: _answers(url), within=60, why=running.output)
        return running, url

    def start_worker(self, **env: str) -> Running:
        """A Celery worker; may be called again for another one."""
        self.worker = self.run(programs.worker(4), **env)
        return self.worker

    def start_stdio_host(self) -> Running:
        """The owner of stdio servers."""
        self.stdio_host = self.run(programs.stdio_host())
        return self.stdio_host

    def run(self, program: Program, **env: str) -> Running:
        """Start any program of the installation with this installation's environment."""
        log = self.folder / f"{program.name}-{len(self.running)}.log"
        running = Running(program.argv, log=log, env={**self.env, **env}, pass_fds=program.pass_fds)
        self.running.append(running)
        return running

    def wait_for_web(self, *, within: float = 60.0) -> None:
        """Wait until the web process answers; fails with its output."""
        assert self.web is not None
        web = self.web
        eventually(lambda: _answers(self.url) or not web.alive(), within=within, why=web.output)
        assert web.alive(), web.output()

    def _wait_for_stdio_host(self) -> None:
        assert self.stdio_host is not None
        host = self.stdio_host
        path = read_environment(self.env, root=ROOT).run_dir / "stdio.sock"
        eventually(lambda: path.is_socket() or not host.alive(), within=60, why=host.output)
        assert host.alive(), host.output()

    def stop(self) -> None:
        """Stop every process and close the sockets."""
        for running in reversed(self.running):
            running.stop()
        for sock in self.sockets:
            sock.close()

    def logs(self) -> str:
        """What all processes have written, for a failing test's message."""
        return "\n".join(f"--- {r.log.name}\n{r.output()[-4000:]}" for r in self.running)

    def _listen(self) -> socket.socket:
        sock = listening_socket()
        sock.set_inheritable(True)
        self.sockets.append(sock)
        return sock


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _keys_of_this_process() -> dict[str, str]:
    keys = settings.ENV.keys
    return {
        "PLACET_SECRET_KEY": keys.secret,
        "PLACET_SEALING_KEY": base64.b64encode(keys.sealing).decode(),
        "PLACET_CHECKPOINT_KEY": base64.b64encode(keys.checkpoint).decode(),
    }
