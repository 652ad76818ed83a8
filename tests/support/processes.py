"""Child processes of a test: own session, output in a file, gone when the test is over."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.support.nursery import Child, can_bear, nursery
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]


class Running:
    """One child process and everything that it started."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        cwd: Path = ROOT,
        **options: Any,
    ) -> None:
        self.argv = list(argv)
        self.log = log
        given = dict(env) if env is not None else None
        mother = nursery() if can_bear(self.argv) and not options else None
        with log.open("ab") as output:
            self.process: subprocess.Popen[bytes] | Child = (
                mother.bear(
                    self.argv, env=given, cwd=cwd, output=output.fileno(), pass_fds=pass_fds
                )
                if mother is not None
                else subprocess.Popen(
                    self.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=given,
                    pass_fds=tuple(pass_fds),
                    cwd=cwd,
                    start_new_session=True,
                    **options,
                )
            )
        self.pid = self.process.pid

    def output(self) -> str:
        """Everything that the process has written."""
        return self.log.read_text("utf-8", errors="replace")

    def tree(self) -> list[psutil.Process]:
        """The process and all its living descendants."""
        try:
            top = psutil.Process(self.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def says(self, text: str, *, within: float = 60.0) -> str:
        """Wait until its output contains `text`; fail at once when it has ended without it."""

        def look() -> bool:
            return text in self.output() or not self.alive()

        def why() -> str:
            return f"{text!r} from {self.argv}: {self.output()[-2000:]}"

        eventually(look, within=within, why=why)
        output = self.output()
        if text not in output:
            raise AssertionError(f"{self.argv} ended without {text!r}:\n{output[-4000:]}")
        return output

    def signal(self, number: int) -> None:
        """Send a signal to the process alone."""
        if self.alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL the process alone and collect it."""
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self, *, within: float = 15.0) -> int:
        """SIGTERM, then SIGKILL for whatever is left of its tree; returns the exit code."""
        tree = self.tree()
        self.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(within)
        for process in tree:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        return self.process.wait(10)
