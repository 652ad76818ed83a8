"""compose.yaml: its services run here as processes, over a real PostgreSQL and a real Valkey.

There is no container engine in the suite. What is proven is every command, its environment and how
the programs find each other; images, volumes and networks are only read.
"""

import json
import os
import re
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from placet.env import read_environment
from placet.up import programs
from placet.up.broker import find_broker
from tests.support.live import KEPT
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.processes import ROOT, Running
from tests.support.valkey import ValkeyServer
from tests.support.waiting import eventually

OURS = ("prepare", "web", "worker", "beat", "stdio-host")
GIVEN = {
    "POSTGRES_PASSWORD": "a-database-password",
    "VALKEY_PASSWORD": "aBrokerPassword",
    "PLACET_ADMIN_EMAIL": "rita@example.org",
    "PLACET_ADMIN_PASSWORD": "a-Sturdy-enough-1",
}
DEPLOY = ROOT / "placet" / "deploy"


class Refused(Exception):
    """A variable that compose demands is missing."""


def interpolate(value: Any, variables: dict[str, str]) -> Any:
    """Compose's ${NAME}, ${NAME:-default} and ${NAME:?message}."""
    if isinstance(value, dict):
        return {key: interpolate(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, variables) for item in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        found = variables.get(name, "")
        if not found and operator == ":?":
            raise Refused(f"{name}: {rest}")
        return found or (rest if operator == ":-" else "")

    return re.sub(r"\$\{(\w+)(:[-?])?([^}]*)\}", replace, value).replace("$$", "$")


def compose(variables: dict[str, str]) -> dict[str, Any]:
    text = (ROOT / "compose.yaml").read_text()
    found: dict[str, Any] = interpolate(yaml.safe_load(text), variables)
    return found


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = compose(GIVEN)["services"]
    return found


def test_it_has_every_part_of_an_installation(services: dict[str, Any]) -> None:
    assert set(services) == {*OURS, "proxy", "postgres", "valkey"}


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_it_does_not_start_with_a_password_that_nobody_chose(name: str) -> None:
    with pytest.raises(Refused, match=name):
        compose({key: value for key, value in GIVEN.items() if key != name})


def test_only_the_proxy_is_reachable_and_by_default_from_this_machine_alone(
    services: dict[str, Any],
) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert all(port.startswith("127.0.0.1:") for port in services["proxy"]["ports"])


def test_our_containers_have_no_privileges_and_write_only_where_they_must(
    services: dict[str, Any],
) -> None:
    for name in OURS:
        service = services[name]
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "privileged" not in service, name
        assert service["ulimits"] == {"nofile": 65536}, name
    assert "USER placet" in (DEPLOY / "Dockerfile").read_text()
    assert "--require-hashes" in (DEPLOY / "Dockerfile").read_text()


def test_the_first_password_is_given_to_one_service_only(services: dict[str, Any]) -> None:
    holders = [n for n in services if "PLACET_ADMIN_PASSWORD" in services[n].get("environment", {})]
    assert holders == ["prepare"]


def test_every_variable_is_one_that_placet_reads(services: dict[str, Any]) -> None:
    source = (ROOT / "placet" / "env.py").read_text()
    for name in OURS:
        for variable in services[name]["environment"]:
            assert f'"{variable}"' in source, variable


def test_the_services_run_the_same_programs_as_up(services: dict[str, Any]) -> None:
    def plain(argv: Any) -> list[str]:
        return ["python", *argv[1:]]

    assert services["worker"]["command"] == plain(programs.worker(8).argv)
    assert services["beat"]["command"] == plain(programs.beat(Path("/data/beat-schedule")).argv)
    host = plain(programs.stdio_host().argv)
    assert services["stdio-host"]["command"] == [host[0], Path(host[1]).name, *host[2:]]
    web = plain(programs.web(3).argv)
    assert services["web"]["command"][5:] == web[5:]


def test_the_proxy_bounds_what_web_processes_cannot() -> None:
    text = (DEPLOY / "nginx.conf").read_text()
    directives = dict(re.findall(r"^\s*([a-z_]+) ([^;{]+);", text, re.MULTILINE))
    bodies = int(directives["client_max_body_size"].removesuffix("m")) * 1024 * 1024
    assert bodies == read_environment({}, root=Path(tempfile.gettempdir())).max_body_bytes
    for name in ("client_header_timeout", "client_body_timeout", "send_timeout"):
        assert int(directives[name].removesuffix("s")) <= 30
    assert directives["large_client_header_buffers"] == "4 16k"
    assert re.search(r"limit_conn address \d+;", text)
    assert re.search(r"limit_conn everybody \d+;", text)
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in text
    assert re.search(r"location /mcp \{[^}]*proxy_buffering off;", text)
    # A location with a header of its own would lose all the others.
    assert not re.search(r"location[^{]*\{[^}]*proxy_set_header", text)


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def test_the_broker_asks_for_its_password_which_stands_on_no_command_line(
    services: dict[str, Any], tmp_path: Path
) -> None:
    """Its command runs here, with the binary of the embedded broker under the image's name."""
    (tmp_path / "valkey-server").symlink_to(find_broker())
    port = free_port()
    words = services["valkey"]["command"]
    assert words[:2] == ["sh", "-c"]
    script = words[2].replace("--maxclients", f"--bind 127.0.0.1 --port {port} --maxclients")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"} | services["valkey"]["environment"]
    running = Running(["sh", "-c", script], log=tmp_path / "log", env=environment, cwd=tmp_path)
    try:

        def answer(password: str | None) -> str:
            with redis.Redis(port=port, password=password, socket_timeout=2) as client:
                try:
                    return str(client.ping())
                except redis.AuthenticationError:
                    return "refused"
                except redis.ConnectionError:
                    return ""

        assert eventually(lambda: answer("aBrokerPassword"), why="it answers") == "True"
        assert answer(None) == answer("guess") == "refused"
        told = " ".join(word for process in running.tree() for word in process.cmdline())
        assert "valkey-server" in told
        assert "aBrokerPassword" not in told + running.output()
    finally:
        running.stop(within=5)


class Installation:
    """The services as processes: names of other containers become this machine's addresses."""

    def __init__(
        self, services: dict[str, Any], *, database: str, broker: str, folder: Path, run: Path
    ) -> None:
        self.services = services
        self.folder = folder
        self.port = free_port()
        self.changes = {
            "postgres://placet:a-database-password@postgres:5432/placet": database,
            "redis://:aBrokerPassword@valkey:6379/0": broker,
            "/data": str(folder / "data"),
            "/run/placet": str(run),
        }
        self.running: dict[str, Running] = {}

    def start(self, name: str) -> Running:
        service = self.services[name]
        command = [sys.executable, *map(self.local, service["command"][1:])]
        environment = {key: self.local(value) for key, value in service["environment"].items()}
        kept = {key: os.environ[key] for key in KEPT if key in os.environ}
        self.running[name] = Running(
            command, log=self.folder / f"{name}.log", env={**kept, **environment}
        )
        return self.running[name]

    def local(self, value: str) -> str:
        value = value.replace("tcp:8000:interface=0.0.0.0", f"tcp:{self.port}:interface=127.0.0.1")
        for there, here in self.changes.items():
            if value.startswith(there):
                return here + value.removeprefix(there)
        return value

    def ask(self, path: str) -> tuple[int, bytes]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"X-Forwarded-For": "192.0.2.7"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, b""
        except OSError:
            return 0, b""

    def state(self) -> str:
        status, body = self.ask("/readyz")
        return str(json.loads(body)["status"]) if status == 200 else ""


@pytest.mark.timeout(240)
def test_its_services_make_an_installation(
    services: dict[str, Any],
    postgres_server: PostgresServer,
    valkey: ValkeyServer,
    tmp_path: Path,
) -> None:
    with tempfile.TemporaryDirectory(prefix="placet-r-") as run:
        placet = Installation(
            services,
            database=postgres_server.tcp_url(postgres_server.create_database()),
            broker=valkey.url,
            folder=tmp_path,
            run=Path(run),
        )
        try:
            first = placet.start("prepare")
            assert first.process.wait(90) == 0, first.output()
            assert "Sign in as rita@example.org." in first.output()
            assert "a-Sturdy-enough-1" not in first.output()
            for name in OURS[1:]:
                placet.start(name)
            eventually(lambda: placet.state() == "ready", within=90, why="ready")
            assert placet.ask("/metrics")[0] == 403
            assert placet.ask("/accounts/login/")[0] == 200
            eventually((Path(run) / "stdio.sock").is_socket, within=60, why="the host listens")
            placet.running["worker"].kill()
            eventually(lambda: placet.state() == "degraded", within=30, why="the worker is missed")
            placet.start("worker")
            eventually(lambda: placet.state() == "ready", within=60, why="ready again")
            again = placet.start("prepare")
            assert again.process.wait(90) == 0
            assert again.output().count("Sign in as") == 1
            for name in OURS[1:]:
                running = placet.running[name]
                assert running.alive(), running.output()
                assert "Traceback" not in running.output(), running.output()
        finally:
            for running in placet.running.values():
                running.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", placet.port)) != 0
