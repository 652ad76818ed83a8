"""`manage.py up`: a whole installation on one machine, from an empty folder to a greeting."""

from __future__ import annotations

import asyncio
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from placet.env import Environment
from placet.up import programs
from placet.up.broker import find_broker, server_command, write_password
from placet.up.first_admin import FirstAdmin
from placet.up.ground import bind, note_in_lock, raise_descriptor_limit
from placet.up.programs import Program
from placet.up.supervisor import GaveUp, Supervisor

READY_WITHIN = 90.0  # seconds; a small machine compiles Python on its first start
BROKER_WITHIN = 10.0
FOR_THE_PARENT_ONLY = ("PLACET_ADMIN_PASSWORD",)


@dataclass(frozen=True)
class Ground:
    """What `up` has taken before the first program starts."""

    environment: Environment
    lock: int
    logs: Path
    prepare: Callable[[], FirstAdmin]  # migrates and seeds; runs once the broker answers


def start(ground: Ground) -> int:
    """Run the installation until it is told to stop; returns the exit code."""
    return asyncio.run(_run(ground))


async def _run(ground: Ground) -> int:
    environment = ground.environment
    with bind(environment.port) as sock:
        raise_descriptor_limit()
        port = int(sock.getsockname()[1])
        chosen = "PLACET_PUBLIC_URL" in os.environ
        url = environment.public_url if chosen else f"http://127.0.0.1:{port}"
        note_in_lock(ground.lock, url)
        supervisor = Supervisor(
            env=_children_environment(environment, port=port, url=url), logs=ground.logs, say=say
        )
        supervisor.catch_signals()
        try:
            if not environment.external_redis:
                await supervisor.keep(_broker(environment))
                await supervisor.wait_until(
                    (environment.run_dir / "valkey.sock").is_socket, within=BROKER_WITHIN
                )
            admin = await asyncio.to_thread(ground.prepare)
            for program in _programs(environment, sock.fileno()):
                await supervisor.keep(program)
            probe = _probe(f"http://127.0.0.1:{port}/healthz")
            supervisor.ready = await supervisor.wait_until(probe, within=READY_WITHIN)
            if supervisor.ready:
                greet(ground, admin, url)
                if environment.sample:
                    await supervisor.start_once(programs.sample_agent())
            elif not supervisor.stopping.is_set():
                say(f"still not answering after {READY_WITHIN:g} s; look into {ground.logs}")
            await supervisor.run()
        except GaveUp as failure:
            say(str(failure))
            return 1
        finally:
            await supervisor.stop()
    say("stopped.")
    return 0


def _broker(environment: Environment) -> Program:
    """The embedded broker; started first and stopped last."""
    run = environment.run_dir
    password = write_password(run / "valkey.conf", environment.keys.broker_password)
    command = server_command(find_broker(), run / "valkey.sock", configuration=password)
    return Program(name="valkey", argv=tuple(command))


def _programs(environment: Environment, descriptor: int) -> list[Program]:
    """Placet's own programs."""
    return [
        programs.web(descriptor),
        programs.worker(environment.worker_threads),
        programs.beat(environment.data_dir / "beat-schedule"),
        programs.stdio_host(),
    ]


def _children_environment(environment: Environment, *, port: int, url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in FOR_THE_PARENT_ONLY}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "placet.settings",
        "PLACET_DATA_DIR": str(environment.data_dir),
        "PLACET_RUN_DIR": str(environment.run_dir),
        "PLACET_PORT": str(port),
        "PLACET_PUBLIC_URL": url,
        "PYTHONUNBUFFERED": "1",
    }


def _probe(url: str) -> Callable[[], bool]:
    def look() -> bool:
        request = urllib.request.Request(url)  # noqa: S310  # our own loopback address
        try:
            with urllib.request.urlopen(request, timeout=2) as response:  # noqa: S310  # as above
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    return look


def greet(ground: Ground, admin: FirstAdmin, url: str) -> None:
    """Say where Placet is and who may sign in."""
    lines = [f"Placet is running at {url}", f"  Sign in as  {admin.email}"]
    if admin.password:
        lines.append(f"  Password    {admin.password}  (made now and shown once; change it soon)")
    elif admin.made:
        lines.append("  Password    the one in PLACET_ADMIN_PASSWORD")
    else:
        lines.append("  Password    yours; lost? python3 manage.py changepassword " + admin.email)
    lines += [
        f"  Data        {ground.environment.data_dir}",
        f"  Logs        {ground.logs}",
        "  Stop        Ctrl-C",
    ]
    print("\n".join(["", *lines, ""]), flush=True)  # noqa: T201  # this is the greeting


def say(text: str) -> None:
    """One line about the installation, to the terminal."""
    print(f"Placet: {text}", file=sys.stderr, flush=True)  # noqa: T201  # for the person who started it
