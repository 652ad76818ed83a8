"""The public conformance suite as a process: run against one address, and what its checks said."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.outside.node import NODE, environment, package_file

PACKAGE: Final = "@modelcontextprotocol/conformance"
STAMPED: Final = re.compile(r"-\d{4}-\d\d-\d\dT[-\d]+Z?$")
SECONDS: Final = 240  # for all scenarios of one revision
SCENARIO_SECONDS: Final = 20
type Check = dict[str, Any]
type Results = dict[str, list[Check]]


def run_suite(address: str, revision: str, scenario: str = "") -> Results:
    """What the checks of one scenario said, or of all that concern the revision, by scenario."""
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
