"""Dozens of calls paused at once in one web process: nobody else has to wait for them.

`python -m tests.bench paused` does the same with 5,000 and prints what everybody notices.
"""

from __future__ import annotations

import pytest

from tests.support.standalone import run

CALLS = 24
MOST_KIB = 256  # for each paused call; a thread and a connection of its own would cost far more
MOST_MS = 5_000  # for a page or an allowed call, on a machine that does other things as well


@pytest.mark.timeout(180)
def test_dozens_of_paused_calls_keep_nobody_else_from_working() -> None:
    before, arriving, waiting = run(
        "tests.bench.paused", engine="sqlite3", arguments=["quick", str(CALLS)]
    )
    assert waiting["waiting"] >= CALLS
    assert before["RSS KiB/call"] < MOST_KIB, before
    for row in (before, arriving, waiting):
        assert row["allowed p50"] < MOST_MS, row
        assert row["inbox p50"] < MOST_MS, row
