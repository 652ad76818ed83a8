"""The whole suite as one command: provision, check, then test on SQLite and on PostgreSQL.

Every stage runs even when an earlier one failed, so that one run shows all there is to mend. Tests
that feel their neighbours run first, one on each database, while patient checks read the text. The
last line is pytest's own closing line, summed over the passes; the exit code tells whether all
was well. `--fast` leaves out the folders of browser, race, kill, bench, journey and outside tests
and says so.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.chromium import ChromiumMissing, find_chromium
from tests.support.nursery import shared
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
PATIENTLY = ("nice", "-n", "19")
PYTEST = (sys.executable, "-m", "pytest", "--color=no")
CROWD = ("-n", "4", "--dist", "worksteal", "-m", "not alone")
JUDGES = (sys.executable, "-m", "tests.outside.node")
LEFT_OUT = {
    "DJANGO_SETTINGS_MODULE",
    # Hundreds of processes import Placet: what each compiles anew takes minutes in all.
    "PYTHONDONTWRITEBYTECODE",
}


@dataclass
class Report:
    """What the stages said."""

    failed: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    printing: threading.Lock = field(default_factory=threading.Lock)

    def stage(
        self, name: str, argv: Sequence[str], env: dict[str, str], *, live: bool = True
    ) -> None:
        """Run one stage and time it. Not `live`, its output is shown when it is over."""
        self._run(name, argv, env, live=live)

    def tests(
        self, name: str, argv: Sequence[str], env: dict[str, str], *, live: bool = True
    ) -> None:
        """Run pytest as a stage, and keep its closing line's figures."""
        lines = self._run(name, argv, env, live=live, fine=(0, NOTHING_COLLECTED))
        closing = [line for line in lines if COUNTS.search(line) and " in " in line]
        for number, what in COUNTS.findall(closing[-1] if closing else ""):
            key = what.removesuffix("s") if what.startswith(("error", "warning")) else what
            self.counts[key] = self.counts.get(key, 0) + int(number)

    def _run(
        self,
        name: str,
        argv: Sequence[str],
        env: dict[str, str],
        *,
        live: bool,
        fine: tuple[int, ...] = (0,),
    ) -> list[str]:
        """What the command printed; a code that is not `fine` is remembered as a failure."""
        began = time.monotonic()
        lines: list[str] = []
        if live:
            print(f"\n== {name}", flush=True)
        with subprocess.Popen(
            argv,
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if live:
                    print(line, end="", flush=True)
        with self.printing:
            if not live:
                print(f"\n== {name}\n{''.join(lines)}", end="", flush=True)
            self.note(name, 0 if process.returncode in fine else process.returncode, began)
        return lines

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
    """Find what the tests need of the system; raises RuntimeError that names the command to run."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    print(f"PostgreSQL: {find_postgres()}", flush=True)
    chromium = find_chromium()
    print(f"Chromium: {chromium}", flush=True)
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
    with shared() as nursery:
        env = {k: v for k, v in os.environ.items() if k not in LEFT_OUT} | found | nursery
        if chosen:
            run_chosen(report, env, chosen, fast=fast)
        elif fast:
            run_fast(report, env)
        else:
            run_everything(report, env)
    return report.close()


def run_chosen(report: Report, env: dict[str, str], chosen: list[str], *, fast: bool) -> None:
    """The chosen tests on SQLite and, unless it has to be fast, on PostgreSQL."""
    if not fast:
        report.stage("judges from npm", JUDGES, env)
    with on_sqlite(env) as sqlite:
        report.tests("pytest on SQLite", [*PYTEST, *chosen], sqlite)
    if not fast:
        with on_postgres(env) as postgres:
            report.tests("pytest on PostgreSQL", [*PYTEST, *chosen], postgres)


def run_fast(report: Report, env: dict[str, str]) -> None:
    """The checks and the tests that need little."""
    print(f"\n--fast leaves out {', '.join(SLOW)}, the neighbourless tests and PostgreSQL.")
    checks(report, env)
    leave_out = [f"--ignore={folder}" for folder in SLOW]
    with on_sqlite(env) as sqlite:
        report.tests("pytest on SQLite", [*PYTEST, *CROWD, *leave_out], sqlite)


def run_everything(report: Report, env: dict[str, str]) -> None:
    """All stages; what patience can do runs beside the databases' making and tests that wait."""
    alone = [*PYTEST, "-m", "alone", *files_with("mark.alone")]
    on_both = files_with("mark.both_engines", "mark.postgres")
    with ExitStack() as databases, ThreadPoolExecutor() as lanes:
        beside = [
            lanes.submit(checks, report, env, beside=True),
            lanes.submit(report.stage, "judges from npm", [*PATIENTLY, *JUDGES], env, live=False),
            lanes.submit(compile_tests, env),
        ]
        made = [lanes.submit(databases.enter_context, on(env)) for on in (on_sqlite, on_postgres)]
        sqlite, postgres = (making.result() for making in made)
        for name, there in (("SQLite", sqlite), ("PostgreSQL", postgres)):
            named = f"pytest on {name}, alone"
            beside.append(lanes.submit(report.tests, named, alone, there, live=False))
        for running in beside:
            running.result()
        report.tests("pytest on SQLite", [*PYTEST, *CROWD], sqlite)
        report.tests("pytest on PostgreSQL", [*PYTEST, *CROWD, *on_both], postgres)


def compile_tests(env: dict[str, str]) -> None:
    """Collect once, patiently: the workers of both passes would each compile all tests anew.

    What cannot be collected fails those passes.
    """
    argv = [*PATIENTLY, *PYTEST, "--collect-only", "-qqq"]
    subprocess.run(argv, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, check=False)


def files_with(*marks: str) -> list[str]:
    """The test files that name one of these marks; to collect all takes each worker 7 seconds."""
    found = [
        file
        for file in sorted((ROOT / "tests").rglob("test_*.py"))
        if any(mark in file.read_text() for mark in marks)
    ]
    return [str(file.relative_to(ROOT)) for file in found]


def checks(report: Report, env: dict[str, str], *, beside: bool = False) -> None:
    """Everything that judges the text without running it; `beside` tests, with what they leave."""
    manage = [sys.executable, "manage.py"]
    plain = env | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PLACET_DATA_DIR": str(Path(tempfile.gettempdir()) / f"placet-checks-{os.getuid()}"),
    }
    stages = {
        "ruff check": ([str(BIN / "ruff"), "check", "."], env),
        "ruff format": ([str(BIN / "ruff"), "format", "--check", "."], env),
        "mypy": ([str(BIN / "mypy")], plain),
        "import contracts": ([str(BIN / "lint-imports")], env),
        "migrations": ([*manage, "makemigrations", "--check", "--dry-run"], plain),
        "system checks": ([*manage, "check", "--fail-level", "ERROR"], plain),
    }
    patiently = PATIENTLY if beside else ()
    for name, (argv, variables) in stages.items():
        report.stage(name, [*patiently, *argv], variables, live=not beside)


@contextmanager
def on_postgres(env: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a pass on PostgreSQL: a server of its own with a migrated database."""
    server = PostgresServer()
    try:
        server.start()
        name = server.create_database()
        there = env | {"DATABASE_URL": server.url(name)}
        migrate(there)
        yield there | {"MIGRATED_DATABASE": name}
    finally:
        server.remove()


@contextmanager
def on_sqlite(env: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a pass on SQLite, with a migrated database that its workers copy."""
    plain = {k: v for k, v in env.items() if k != "DATABASE_URL"}
    with tempfile.TemporaryDirectory(prefix="placet-suite-") as folder:
        file = str(Path(folder) / "migrated.sqlite3")
        migrate(plain | {"DATABASE_URL": f"sqlite:///{file}"})
        yield plain | {"MIGRATED_DATABASE": file}


def migrate(env: dict[str, str]) -> None:
    """Migrate the database that `env` names; raises CalledProcessError."""
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=env | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        check=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
