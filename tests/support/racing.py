"""Contenders in threads of their own that start each round together."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

from approvals.domain.errors import Refusal

ROUNDS = int(os.environ.get("RACES", "60"))  # of a race; the README names the long run
PATIENCE = 60  # seconds a contender waits for the others
WON = "won"


def race(
    rounds: Sequence[Any], contenders: Sequence[Callable[[Any], object]]
) -> list[tuple[str, ...]]:
    """For each round, how each contender fared on it: `won`, or the code of its refusal."""
    barrier = threading.Barrier(len(contenders))

    def run(contender: Callable[[Any], object]) -> list[str]:
        fared = []
        try:
            for each in rounds:
                barrier.wait(PATIENCE)
                try:
                    contender(each)
                    fared.append(WON)
                except Refusal as refusal:
                    fared.append(refusal.code)
        except BaseException:
            barrier.abort()
            raise
        finally:
            connection.close()
        return fared

    with ThreadPoolExecutor(len(contenders)) as pool:
        runs = [pool.submit(run, contender) for contender in contenders]
        return list(zip(*(each.result() for each in runs), strict=True))


def assert_one_winner_each(results: Sequence[tuple[str, ...]]) -> None:
    """Exactly one contender won each round."""
    wins = Counter(result.count(WON) for result in results)
    assert set(wins) == {1}, f"winners per round: {dict(wins)}"
