"""The long-running programs of an installation, as commands; compose.yaml runs the same ones."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MANAGE = str(ROOT / "manage.py")


@dataclass(frozen=True)
class Program:
    """A program by name and command; `grace` is how many seconds it may take to stop."""

    name: str
    argv: tuple[str, ...]
    grace: float = 5.0
    pass_fds: tuple[int, ...] = ()
    to_terminal: bool = False


def web(descriptor: int) -> Program:
    """Daphne on an inherited socket that listens already."""
    argv = (sys.executable, "-m", "placet.daphne_server", "--fd", str(descriptor))
    quiet = ("--no-server-name", "--verbosity", "0", "--application-close-timeout", "3")
    return Program(
        name="web", argv=(*argv, *quiet, "placet.asgi:application"), pass_fds=(descriptor,)
    )


def worker(threads: int) -> Program:
    """A Celery worker with a pool of threads, which also polls and sweeps the rows."""
    return Program(
        name="worker",
        argv=(
            *(sys.executable, "-m", "celery", "--quiet", "--app", "placet.celery", "worker"),
            *("--pool", "threads", "--concurrency", str(threads)),
            *("--without-mingle", "--without-gossip", "--without-heartbeat"),
        ),
        grace=10.0,
    )


def beat(schedule: Path) -> Program:
    """Celery's metronome, as a process of its own."""
    return Program(
        name="beat",
        argv=(
            *(sys.executable, "-m", "celery", "--quiet", "--app", "placet.celery", "beat"),
            *("--schedule", str(schedule), "--pidfile", ""),
        ),
    )


def stdio_host() -> Program:
    """The process that owns every stdio server of this machine."""
    return Program(name="stdio-host", argv=(sys.executable, MANAGE, "run_stdio_host"), grace=6.0)


def sample_agent() -> Program:
    """The agent of the sample, which tells the terminal what it receives."""
    return Program(
        name="sample-agent", argv=(sys.executable, MANAGE, "sample_agent"), to_terminal=True
    )
