"""`manage.py up` as a person starts it: own folder, free port, stopped with everything it made."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from placet.up.programs import Program
from tests.support.processes import ROOT, Running

KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
EMAIL, PASSWORD = "rita@example.org", "a-Sturdy-enough-1"


class Up:
    """Starts an installation in a folder; environment variables as keywords."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.started: list[Running] = []

    def __call__(self, **variables: str) -> Running:
        """`manage.py up`."""
        return self._start([sys.executable, str(ROOT / "manage.py"), "up"], variables)

    def program(self, program: Program, **variables: str) -> Running:
        """One of its programs by itself, beside what runs."""
        return self._start(list(program.argv), variables)

    def _start(self, argv: list[str], variables: dict[str, str]) -> Running:
        env = {name: os.environ[name] for name in KEPT if name in os.environ}
        env |= {
            "PLACET_DATA_DIR": str(self._folder / "var"),
            "PLACET_PORT": "0",
            "PLACET_SAMPLE": "0",
            **variables,
        }
        log = self._folder / f"up-{len(self.started)}.out"
        self.started.append(Running(argv, log=log, env=env))
        return self.started[-1]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Starts an installation in this test's folder, stopped with everything that it made."""
    starts = Up(tmp_path)
    yield starts
    for running in starts.started:
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
