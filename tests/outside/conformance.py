"""The public conformance suite against a whole installation before the everything server.

`python -m tests.outside.conformance --revision 2026-07-28 [--scenario NAME]` prints a table and
exits non-zero when a scenario failed that a gateway can pass. Without `--revision` both run. With
CONFORMANCE_WORDS=1 in the environment, the suite's own words are printed, too. The work itself is
in `conformance_run`, in a process with a database of its own.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import yaml

from tests.outside.everything.process import an_everything_server
from tests.outside.node import package_file
from tests.outside.suite import PACKAGE, Check, Results, run_suite
from tests.support.standalone import ENGINES, ChildFailed, run

REVISIONS: Final = ("2026-07-28", "2025-11-25")
NOT_DRIVABLE: Final = Path(__file__).with_name("not_drivable.yaml")
CHILD: Final = "tests.outside.conformance_run"


def required(revision: str) -> list[str]:
    """The scenarios that a server of this revision must pass, and those of the tasks extension."""
    found = yaml.safe_load(package_file(PACKAGE, f"requirements/{revision}.yaml").read_text())
    extra = [e["scenario"] for e in found["not_scored"] if e["leg"] == "server"]
    return [*found["server"], *(name for name in extra if name.startswith("tasks-"))]


def not_drivable(revision: str) -> dict[str, str]:
    """Scenarios that the suite cannot drive at a gateway, each with its reason."""
    found = yaml.safe_load(NOT_DRIVABLE.read_text()) or {}
    return dict(found.get(revision) or {})


def failures(checks: list[Check]) -> list[str]:
    """What a scenario's checks found wrong, one line each."""
    return [
        f"{check['id']}: {check.get('errorMessage') or check.get('description')}"
        for check in checks
        if check["status"] == "FAILURE"
    ]


def surprises(results: Results, *, must: list[str], known: dict[str, str]) -> list[str]:
    """What is not as expected: a scenario that must pass and fails, is missing, or passes at last.

    A scenario without a single successful check has shown nothing, and counts as failed.
    """
    found = []
    for name in must:
        checks = results.get(name)
        wrong = ["was not run"] if checks is None else failures(checks)
        if not wrong and not any(check["status"] == "SUCCESS" for check in checks or []):
            wrong = ["showed nothing"]
        if name in known and not wrong:
            found.append(f"{name} passes: remove it from {NOT_DRIVABLE.name}")
        if name not in known:
            found += [f"{name}: {line}" for line in wrong]
    found += [
        f"{name} may not stand in {NOT_DRIVABLE.name}" for name in known if not _may(name, must)
    ]
    return found


def _may(name: str, must: list[str]) -> bool:
    """What a revision requires is passed; only scenarios of an extension may be impossible."""
    return name in must and name.startswith("tasks-")


def print_table(revision: str, results: Results) -> bool:
    """One line per scenario, and what failed; whether all is as expected."""
    must, known = required(revision), not_drivable(revision)
    print(f"\n{revision}\n{'scenario':48} {'ok':>3} {'bad':>3} {'warn':>4} {'skip':>4}")
    for name in sorted(results, key=lambda name: (name not in must, name)):
        counted = Counter(check["status"] for check in results[name])
        wrong = failures(results[name])
        mark = "" if name in must else "(not required)"
        mark = f"cannot be driven: {known[name]}" if name in known else mark
        figures = (counted[s] for s in ("SUCCESS", "FAILURE", "WARNING", "SKIPPED"))
        print("{:48} {:>3} {:>3} {:>4} {:>4}  {}".format(name, *figures, mark))
        for line in wrong:
            print(f"    {line[:400]}")
    ran = [name for name in must if name in results]
    passed = [name for name in ran if not failures(results[name])]
    print(f"{len(passed)} of {len(ran)} scenarios that must pass do")
    return not surprises(results, must=ran, known={n: known[n] for n in known if n in ran})


def command() -> int:
    """Run what was asked for in a child process and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.outside.conformance", description=__doc__
    )
    parser.add_argument("--revision", choices=REVISIONS, action="append")
    parser.add_argument("--scenario", action="append", help="may be given several times")
    parser.add_argument("--engine", choices=ENGINES, default="sqlite3")
    parser.add_argument(
        "--direct", action="store_true", help="judge the everything server alone, without Placet"
    )
    options = parser.parse_args()
    wanted = [
        f"{revision}/{scenario}" if scenario else revision
        for revision in options.revision or REVISIONS
        for scenario in options.scenario or [""]
    ]
    began = time.monotonic()
    if options.direct:
        with an_everything_server() as url:
            for entry in wanted:
                revision, _, scenario = entry.partition("/")
                print_table(revision, run_suite(url, revision, scenario))
        return 0
    try:
        found = run(CHILD, engine=options.engine, arguments=wanted)
    except ChildFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    good = [print_table(revision, results) for revision, results in found.items()]
    print(f"{time.monotonic() - began:.0f} s")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(command())
