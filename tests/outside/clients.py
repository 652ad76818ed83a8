"""Clients that nobody here wrote, each with a call that people take their time to approve.

`python -m tests.outside.clients` runs them all at once at the real pace: people think for 90 s,
clients give up at 60 s. The suite runs one of each program, and each way to wait, at a quicker
pace with the same order of events. The work itself is in `clients_run`, in a process with a
database of its own.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from typing import Any, Final

from tests.support.standalone import ENGINES, ChildFailed, run

CHILD: Final = "tests.outside.clients_run"


@dataclass(frozen=True)
class Pace:
    """Who waits how long, in seconds. `hold`: when a silent client is told to come back."""

    thinking: float
    patience: float
    hold: int | None  # None: as long as the gateway holds such a client by itself
    grace: int


REAL: Final = Pace(thinking=90, patience=60, hold=None, grace=15)
QUICK: Final = Pace(thinking=18, patience=12, hold=5, grace=2)
PACES: Final = {"real": REAL, "quick": QUICK}


@dataclass(frozen=True)
class Judge:
    """One client: which program, in which era, and how it waits."""

    name: str
    program: str  # python, v1, v2 or inspector
    era: str
    listens: bool = False  # asks for progress
    resets: bool = False  # progress keeps it from giving up
    again: int = 0  # how often it calls again after giving up
    returns: bool = True  # False: it gives up and stays away
    has_tasks: bool = False  # it declares the tasks extension
    in_suite: bool = False


JUDGES: Final = (
    Judge("python modern", "python", "modern", in_suite=True),
    Judge("python modern, listening", "python", "modern", listens=True),
    Judge("python legacy", "python", "legacy"),
    Judge("python legacy, listening", "python", "legacy", listens=True, in_suite=True),
    Judge("typescript v1", "v1", "legacy"),
    Judge("typescript v1, reset by progress", "v1", "legacy", listens=True, resets=True),
    Judge(
        "typescript v1, gives up and calls again",
        "v1",
        "legacy",
        listens=True,
        again=1,
        in_suite=True,
    ),
    Judge("typescript v1, gone for good", "v1", "legacy", listens=True, returns=False),
    Judge("typescript v2 modern", "v2", "modern"),
    Judge("typescript v2 modern, reset by progress", "v2", "modern", listens=True, resets=True),
    Judge("typescript v2 modern, gives up and calls again", "v2", "modern", listens=True, again=1),
    Judge(
        "typescript v2 modern, gone for good",
        "v2",
        "modern",
        listens=True,
        returns=False,
        in_suite=True,
    ),
    Judge("typescript v2 legacy", "v2", "legacy"),
    Judge("inspector modern, with tasks", "inspector", "modern", has_tasks=True, in_suite=True),
)


def judges_at(pace: Pace) -> list[Judge]:
    """Those who take part at this pace."""
    return [judge for judge in JUDGES if pace is REAL or judge.in_suite]


def faults(told: dict[str, dict[str, Any]], *, pace: Pace = REAL) -> list[str]:
    """What is wrong with what became of each client's call, by name; empty when nothing is."""
    found = []
    for judge in judges_at(pace):
        one = told.get(judge.name)
        if one is None:
            found.append(f"{judge.name}: did not run")
            continue
        expected = 1 if judge.returns else 0
        if one["executed"] != expected:
            found.append(f"{judge.name}: executed {one['executed']} times, not {expected}")
        if judge.returns and not ("noted" in one["text"] and "executed once" in one["text"]):
            found.append(f"{judge.name}: was told {one['text'] or one['error']!r}")
        if judge.again and not one["gave_up"]:
            found.append(f"{judge.name}: did not give up")
        if judge.has_tasks and one["waiting"] != "task":
            found.append(f"{judge.name}: was {one['waiting']}, not a task")
        if one["tickets"] != 1:
            found.append(f"{judge.name}: made {one['tickets']} tickets of one call")
        if not judge.returns and one["state"] != "cancelled":
            found.append(f"{judge.name}: left a ticket that is {one['state']}")
        if not judge.returns and not one["late_approval_refused"]:
            found.append(f"{judge.name}: could be approved after it had gone")
    return found


def print_table(told: dict[str, dict[str, Any]]) -> None:
    """How each client got its answer."""
    columns = ("seconds", "gave_up", "handovers", "reports", "waiting", "tickets", "executed")
    print(f"{'client':48}" + "".join(f"{name:>11}" for name in columns) + "  told")
    for name, one in told.items():
        cells = "".join(f"{one[column]!s:>11}" for column in columns)
        print(f"{name:48}{cells}  {(one['text'] or one['error'])[:70]!r}")


def command() -> int:
    """Run the story in a child process and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.outside.clients", description=__doc__)
    parser.add_argument("--pace", choices=sorted(PACES), default="real")
    parser.add_argument("--engine", choices=ENGINES, default="sqlite3")
    options = parser.parse_args()
    print({"pace": options.pace, **asdict(PACES[options.pace])}, flush=True)
    try:
        told = run(CHILD, engine=options.engine, arguments=[options.pace])
    except ChildFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    print_table(told)
    wrong = faults(told, pace=PACES[options.pace])
    print("\n".join(wrong) or "every client got the right answer, and every call ran at most once")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(command())
