"""The whole suite as one command: provision, check, then test on SQLite and on PostgreSQL.

Every stage runs even when an earlier one failed, so that one run shows all there is to mend. The
last line is pytest's own closing line, summed over the passes; the exit code tells whether all
was well. `--fast` leaves out the folders of browser, race, kill, bench, journey and outside tests
and says so.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.outside.node import judges
from tests.support.chromium import ChromiumMissing, find_chromium
from tests.support.postgres import PostgresServer, find_postgres

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
SLOW = (
    "tests/browser",
    "tests/race",
    "tests/kills",
    "tests/bench",
    "tests/journeys",
    "tests/outside",
)
COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?)")
NOTHING_COLLECTED = 5


@dataclass
class Report:
    """What the stages said."""

    failed: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def stage(self, name: str, argv: list[str], env: dict[str, str] | None = None) -> None:
        """Run one stage with its output on the terminal, and time it."""
        began = time.monotonic()
        print(f"\n== {name}", flush=True)
        code = subprocess.run(argv, cwd=ROOT, env=env, check=False).returncode
        self.note(name, code, began)

    def tests(self, name: str, argv: list[str], env: dict[str, str]) -> None:
        """Run pytest, pass its output through, and keep its closing line's figures."""
        began = time.monotonic()
        print(f"\n== {name}", flush=True)
        closing = ""
        with subprocess.Popen(
            argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, errors="replace"
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                if COUNTS.search(line) and " in " in line:
                    closing = line
        for number, what in COUNTS.findall(closing):
            key = what.removesuffix("s") if what.startswith(("error", "warning")) else what
            self.counts[key] = self.counts.get(key, 0) + int(number)
        code = process.returncode
        self.note(name, 0 if code == NOTHING_COLLECTED else code, began)

    def note(self, name: str, code: int, began: float) -> None:
        """Remember and print how a stage ended."""
        took = time.monotonic() - began
        print(f"== {name}: {'ok' if code == 0 else f'FAILED ({code})'} in {took:.1f} s", flush=True)
        if code:
            self.failed.append(name)

    def close(self) -> int:
        """Print the failed stages, then one closing line in pytest's words."""
        if self.failed:
            print("\nFailed: " + ", ".join(self.failed))
        order = ("failed", "error", "passed", "skipped", "xfailed", "xpassed", "warning")
        words = [f"{self.counts[k]} {k}" for k in order if self.counts.get(k)]
        took = time.monotonic() - self.started
        text = f"{', '.join(words) or 'no tests ran'} in {took:.2f}s"
        print(f"\n{f' {text} ':=^80}", flush=True)
        return 1 if self.failed else 0


def provision() -> dict[str, str]:
    """Find what the tests need beyond Python; raises RuntimeError that names the command to run."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    print(f"PostgreSQL: {find_postgres()}", flush=True)
    chromium = find_chromium()
    print(f"Chromium: {chromium}", flush=True)
    print(f"Judges from npm: {judges()}", flush=True)
    return {"PLACET_TEST_CHROMIUM": str(chromium)}


def main(arguments: list[str]) -> int:
    """Run everything, or with pytest arguments the chosen tests on both databases."""
    report = Report()
    fast = "--fast" in arguments
    chosen = [a for a in arguments if a != "--fast"]
    try:
        found = {} if fast else provision()
    except (ChromiumMissing, RuntimeError) as missing:
        print(f"The suite cannot run: {missing}", file=sys.stderr)
        return 2
    env = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"} | found
    if not chosen:
        checks(report, env)
    pytest = [sys.executable, "-m", "pytest", "--color=no"]
    leave_out = [f"--ignore={folder}" for folder in SLOW] if fast else []
    if fast:
        print(f"\n--fast leaves out {', '.join(SLOW)}, the neighbourless tests and PostgreSQL.")
    beside = [] if chosen else ["-n", "2", "-m", "not alone"]
    sqlite = {k: v for k, v in env.items() if k != "DATABASE_URL"}
    report.tests("pytest on SQLite", [*pytest, *beside, *leave_out, *chosen], sqlite)
    if not fast:
        if not chosen:
            report.tests("pytest on SQLite, alone", [*pytest, "-m", "alone"], sqlite)
        passes = {"pytest on PostgreSQL": [*pytest, *beside, *chosen]}
        if not chosen:
            passes["pytest on PostgreSQL, alone"] = [*pytest, "-m", "alone"]
        on_postgres(report, passes, env)
    return report.close()


def checks(report: Report, env: dict[str, str]) -> None:
    """Everything that judges the text without running it."""
    manage = [sys.executable, "manage.py"]
    plain = env | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PLACET_DATA_DIR": str(Path(tempfile.gettempdir()) / f"placet-checks-{os.getuid()}"),
    }
    report.stage("ruff check", [str(BIN / "ruff"), "check", "."], env)
    report.stage("ruff format", [str(BIN / "ruff"), "format", "--check", "."], env)
    report.stage("mypy", [str(BIN / "mypy")], plain)
    report.stage("import contracts", [str(BIN / "lint-imports")], env)
    report.stage("migrations", [*manage, "makemigrations", "--check", "--dry-run"], plain)
    report.stage("system checks", [*manage, "check", "--fail-level", "ERROR"], plain)


def on_postgres(report: Report, passes: dict[str, list[str]], env: dict[str, str]) -> None:
    """The tests marked for it, on a server of this run and a database of each pass."""
    server = PostgresServer()
    try:
        server.start()
        for name, pytest in passes.items():
            url = server.url(server.create_database())
            report.tests(name, pytest, env | {"DATABASE_URL": url})
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
