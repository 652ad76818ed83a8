"""Runs the conformance suite against a whole installation, in a child with its own database."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.outside.conformance import PACKAGE, Results
from tests.outside.installation import an_everything_server, an_installation
from tests.outside.node import NODE, environment, package_file
from tests.support.databases import RealDatabase

STAMPED: Final = re.compile(r"-\d{4}-\d\d-\d\dT[-\d]+Z?$")
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
        name = STAMPED.sub("", place.name).removeprefix("server-")
        checks = place / "checks.json"
        found[name] = (
            json.loads(checks.read_text())
            if checks.exists()
            else [{"id": name, "status": "FAILURE", "errorMessage": "did not end in time"}]
        )
    return found
