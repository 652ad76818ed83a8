"""The process over the others: what it starts never outlives it, and never stays down."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from placet.up.supervisor import trim
from tests.support.processes import ROOT, Running
from tests.support.waiting import eventually

FAMILY = "PLACET_TEST_FAMILY"
Family = Callable[..., Running]


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    started: list[Running] = []

    def start(*kinds: str, leash: str = "kernel") -> Running:
        argv = [sys.executable, "-m", "tests.placet.up.family", str(tmp_path), leash, *kinds]
        env = {**os.environ, "PYTHONPATH": str(ROOT), FAMILY: str(tmp_path)}
        started.append(Running(argv, log=tmp_path / "parent.out", env=env))
        return started[-1]

    yield start
    for running in started:
        running.stop(within=1)
    for process in psutil.process_iter():  # what a failed test left behind
        with contextlib.suppress(psutil.Error):
            if process.environ().get(FAMILY) == str(tmp_path):
                process.kill()


def say_up(folder: Path, *kinds: str) -> None:
    for kind in kinds:
        log = folder / f"{kind}.log"
        eventually(lambda log=log: log.exists() and " up" in log.read_text(), why=str(log))


def still_there(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("leash", ["kernel", "pipe"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_program_even_one_that_ignores_it(
    family: Family, tmp_path: Path, leash: str, number: signal.Signals
) -> None:
    running = family("polite", "stubborn", "forking", leash=leash)
    say_up(tmp_path, "polite", "stubborn", "forking")
    tree = running.tree()
    assert len(tree) >= 5
    running.signal(number)
    assert running.process.wait(10) == 0
    assert "family gone" in running.output()
    assert still_there(tree) == []


@pytest.mark.parametrize("leash", ["kernel", "pipe"])
def test_killing_the_supervisor_leaves_no_program(
    family: Family, tmp_path: Path, leash: str
) -> None:
    running = family("polite", "stubborn", leash=leash)
    say_up(tmp_path, "polite", "stubborn")
    tree = running.tree()
    running.kill()
    eventually(lambda: not still_there(tree), why="all gone")


def test_a_program_that_ends_is_started_again(family: Family, tmp_path: Path) -> None:
    running = family("polite")
    say_up(tmp_path, "polite")
    first = running.tree()[1]
    first.kill()
    running.says("polite ended (by SIGKILL); starts again in 0.5 s")
    eventually(lambda: (tmp_path / "polite.log").read_text().count("polite up") == 2)
    assert running.tree()[1].pid != first.pid


def test_a_program_that_never_starts_ends_the_whole_with_its_last_words(
    family: Family, tmp_path: Path
) -> None:
    running = family("polite", "short")
    assert running.process.wait(15) == 1
    assert "gave up: short does not start (with exit code 0):\nshort up" in running.output()
    assert still_there(running.tree()) == []


def test_a_log_over_its_limit_is_moved_aside_and_written_on(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with log.open("ab") as writer:
        writer.write(b"old\n" * 10)
        writer.flush()
        trim(log, limit=100)
        assert log.read_bytes() == b"old\n" * 10
        trim(log, limit=39)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "web.log.1").read_bytes() == b"old\n" * 10
