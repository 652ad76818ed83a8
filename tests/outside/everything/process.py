"""The everything server as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.processes import ROOT


@contextmanager
def an_everything_server(*options: str) -> Iterator[str]:
    """The everything server in a process of its own; yields its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.outside.everything", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline().strip()
        if not line.startswith("http://"):
            raise RuntimeError(f"the everything server did not start: {line!r}")
        yield line
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
