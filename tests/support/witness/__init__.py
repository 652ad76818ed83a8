"""An upstream that keeps a witness's record: what it received, before it answered.

`start(folder)` runs it over Streamable HTTP in a process of its own; `command(folder)` is the
argument list of the same server over stdio. `Witness.calls()` reads the record, which survives
every crash: each line was on the disk before its answer existed. While a file `hold` lies in the
folder, received calls are recorded but not answered.
"""

from __future__ import annotations

import json
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import Running
from tests.support.waiting import eventually


@dataclass
class Witness:
    folder: Path
    url: str
    running: Running

    def calls(self) -> list[dict[str, Any]]:
        return calls(self.folder)

    def events(self) -> list[dict[str, Any]]:
        return _lines(self.folder / "events.jsonl")

    def hold(self) -> None:
        (self.folder / "hold").touch()

    def release(self) -> None:
        (self.folder / "hold").unlink(missing_ok=True)

    def stop(self) -> None:
        self.running.kill()

    def forget(self) -> None:
        """An empty record, and nothing held: as good as a new one."""
        for record in self.folder.glob("*.jsonl"):
            record.unlink()
        self.release()


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def calls(folder: Path) -> list[dict[str, Any]]:
    return _lines(folder / "calls.jsonl")


def start(
    folder: Path,
    *,
    port: int = 0,
    era: str = "both",
    answers: str = "json",
    revised: bool = False,
) -> Witness:
    """Start over HTTP. `era`: both, modern or legacy; `answers`: json or sse.

    `revised`: what `write_note` says of itself is not what it said before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"output-{secrets.token_hex(4)}"
    running = Running(
        [
            sys.executable,
            "-m",
            "tests.support.witness.over_http",
            str(folder),
            "--port",
            str(port),
            "--era",
            era,
            "--answers",
            answers,
            *(["--revised"] if revised else []),
        ],
        log=log,
    )
    eventually(
        lambda: "\n" in running.output() or not running.alive(), within=60, why=running.output
    )
    line = running.output().partition("\n")[0]
    if not line.startswith("http://"):
        running.stop()
        raise RuntimeError(f"the witness did not start: {running.output()!r}")
    return Witness(folder, line, running)


def command(folder: Path, *, era: str = "both", extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The same server over stdio; one file, standard library only, so that a sandbox can run it."""
    script = Path(__file__).with_name("over_stdio.py")
    return (sys.executable, str(script), str(folder), "--era", era, *extra)
