"""The public conformance suite against a whole installation before the everything server.

`python -m tests.outside.conformance --revision 2026-07-28 [--scenario NAME]` prints a table and
exits non-zero when a scenario failed that is not expected to. Without `--revision` both run. With
CONFORMANCE_WORDS=1 in the environment, the suite's own words are printed, too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import yaml

from tests.outside.installation import an_everything_server, an_installation
from tests.outside.node import NODE, environment, package_file
from tests.support.databases import RealDatabase
from tests.support.standalone import ENGINES, ChildFailed, run

REVISIONS: Final = ("2026-07-28", "2025-11-25")
PACKAGE: Final = "@modelcontextprotocol/conformance"
EXPECTED: Final = Path(__file__).with_name("expected_failures.yaml")
SECONDS: Final = 240  # for all scenarios of one revision
SCENARIO_SECONDS: Final = 20
PAUSED: Final = (
    "slow_compute",
    "failing_job",
    "protocol_error_job",
    "confirm_delete",
    "multi_input",
    "test_tool_with_task",
)
RULES: Final = (
    *({"name": f"see {tool}", "tool": tool, "effect": "require_approval"} for tool in PAUSED),
    {"name": "the rest is fine", "effect": "allow"},
)
type Check = dict[str, Any]
type Results = dict[str, list[Check]]


def required(revision: str) -> list[str]:
    """The scenarios that a server of this revision must pass, and those of the tasks extension."""
    found = yaml.safe_load(package_file(PACKAGE, f"requirements/{revision}.yaml").read_text())
    extra = [e["scenario"] for e in found["not_scored"] if e["leg"] == "server"]
    return [*found["server"], *(name for name in extra if name.startswith("tasks-"))]


def expected_failures(revision: str) -> dict[str, str]:
    """Scenarios that cannot pass, each with its reason."""
    found = yaml.safe_load(EXPECTED.read_text()) or {}
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
            found.append(f"{name} passes: remove it from {EXPECTED.name}")
        if name not in known:
            found += [f"{name}: {line}" for line in wrong]
    found += [f"{name} is no scenario that must pass" for name in known if name not in must]
    return found


def main(database: RealDatabase, arguments: list[str]) -> dict[str, Results]:
    """The child's part: run the suite for the revisions named; `revision/scenario` runs one."""
    return asyncio.run(_judge(database, arguments))


async def _judge(database: RealDatabase, wanted: list[str]) -> dict[str, Results]:
    found: dict[str, Results] = {}
    with an_everything_server() as url:
        async with an_installation(
            database, upstreams={"everything": {"url": url}}, rules=RULES
        ) as house:
            address = house.endpoint("everything")
            for entry in wanted:
                revision, _, scenario = entry.partition("/")
                results = await asyncio.to_thread(_run_suite, address, revision, scenario)
                found.setdefault(revision, {}).update(results)
    return found


def _run_suite(address: str, revision: str, scenario: str) -> Results:
    with tempfile.TemporaryDirectory(prefix="placet-conformance-") as folder:
        chosen = (
            ["--scenario", scenario, "--spec-version", revision, "--force"]
            if scenario
            else ["--requirements", revision]
        )
        command = [
            *(str(NODE), str(package_file(PACKAGE, "dist/index.js")), "server"),
            *("--url", address, "--timeout", str(SCENARIO_SECONDS * 1000), "-o", folder),
            *chosen,
        ]
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
        results = _read(Path(folder))
        if not results or os.environ.get("CONFORMANCE_WORDS"):
            print(done.stdout, file=sys.stderr)
        return results


def _read(folder: Path) -> Results:
    found: Results = {}
    for place in folder.glob("server-*"):
        name = place.name.removeprefix("server-").split("-20")[0]
        checks = place / "checks.json"
        found[name] = (
            json.loads(checks.read_text())
            if checks.exists()
            else [{"id": name, "status": "FAILURE", "errorMessage": "did not end in time"}]
        )
    return found


def print_table(revision: str, results: Results) -> bool:
    """One line per scenario, and what failed; whether all is as expected."""
    must, known = required(revision), expected_failures(revision)
    print(f"\n{revision}\n{'scenario':48} {'ok':>3} {'bad':>3} {'warn':>4} {'skip':>4}")
    for name in sorted(results, key=lambda name: (name not in must, name)):
        counted = Counter(check["status"] for check in results[name])
        wrong = failures(results[name])
        mark = "" if name in must else "(not required)"
        mark = f"expected: {known[name]}" if name in known else mark
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
    options = parser.parse_args()
    wanted = [
        f"{revision}/{scenario}" if scenario else revision
        for revision in options.revision or REVISIONS
        for scenario in options.scenario or [""]
    ]
    began = time.monotonic()
    try:
        found = run("tests.outside.conformance", engine=options.engine, arguments=wanted)
    except ChildFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    good = [print_table(revision, results) for revision, results in found.items()]
    print(f"{time.monotonic() - began:.0f} s")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(command())
