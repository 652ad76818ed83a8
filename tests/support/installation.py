"""`manage.py up` as a person starts it: own folder, free port, stopped with everything it made."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.processes import ROOT, Running

KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
EMAIL, PASSWORD = "rita@example.org", "a-Sturdy-enough-1"
Up = Callable[..., Running]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Start an installation in this test's folder; environment variables as keywords."""
    started: list[Running] = []

    def start(**variables: str) -> Running:
        env = {name: os.environ[name] for name in KEPT if name in os.environ}
        env |= {
            "PLACET_DATA_DIR": str(tmp_path / "var"),
            "PLACET_PORT": "0",
            "PLACET_SAMPLE": "0",
            **variables,
        }
        log = tmp_path / f"up-{len(started)}.out"
        argv = [sys.executable, str(ROOT / "manage.py"), "up"]
        started.append(Running(argv, log=log, env=env))
        return started[-1]

    yield start
    for running in started:
        tree = running.tree()
        running.stop(within=20)
        for process in tree:
            if process.is_running():
                process.kill()


def greeted(running: Running) -> str:
    """Wait for the greeting; returns the address."""
    output = running.says("Placet is running at", within=90)
    found = re.search(r"Placet is running at (http://127\.0\.0\.1:\d+)", output)
    assert found is not None
    running.says("Ctrl-C")
    return found[1]


def survivors(tree: list[psutil.Process]) -> list[psutil.Process]:
    """The processes of a tree that still run."""
    return [p for p in tree if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
