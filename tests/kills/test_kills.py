"""A worker is killed at the four worst moments: nothing runs twice, nothing is lost, nobody is
told a lie. Five calls of each kind on each database; `python -m tests.kills` does many more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kills import planted
from tests.kills.harness import a_harness
from tests.kills.windows import AfterClaim
from tests.support.databases import RealDatabase
from tests.support.valkey import ValkeyServer

pytestmark = [
    pytest.mark.usefixtures("parts"),
    pytest.mark.alone,
    pytest.mark.timeout(600),
]
ROUNDS = 5


@pytest.mark.both_engines
async def test_calls_whose_worker_is_killed_run_at_most_once_and_end_truthfully(
    real_db: RealDatabase, valkey_server: ValkeyServer, tmp_path: Path
):
    async with a_harness(database=real_db, broker=valkey_server, folder=tmp_path) as harness:
        tallies = await harness.run(ROUNDS, batch=ROUNDS)
    assert [tally.calls for tally in tallies] == [ROUNDS] * 4
    assert [tally.executed for tally in tallies] == [ROUNDS, 0, 0, 0]
    assert [tally.unknown for tally in tallies] == [0, ROUNDS, ROUNDS, ROUNDS]
    assert sum(tally.twice for tally in tallies) == 0


async def test_a_worker_that_sends_twice_is_found_guilty(
    real_db: RealDatabase, valkey_server: ValkeyServer, tmp_path: Path
):
    async with a_harness(database=real_db, broker=valkey_server, folder=tmp_path) as harness:
        harness.program = planted.program()
        with pytest.raises(AssertionError, match="counts two for one ticket"):
            await harness.run(2, windows=(AfterClaim,))
