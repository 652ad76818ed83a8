"""In which order several workers take the tests: the longest are not left for the end."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import pytest

LONG = (
    "tests/browser/",
    "tests/outside/",
    "tests/journeys/",
    "tests/race/",
    "tests/approvals/test_state_machine.py",
    "tests/placet/",
)
TOGETHER = "tests/browser/"  # they share a browser and an installation


def long_first(items: Sequence[pytest.Item], *, workers: int) -> list[pytest.Item]:
    """The same items so that each worker's even share begins with files of long tests.

    A worker that has done its share takes from the end of another's.
    """
    long = [item for item in items if item.nodeid.startswith(LONG)]
    short = [item for item in items if not item.nodeid.startswith(LONG)]
    begins: list[list[pytest.Item]] = [[] for _ in range(workers)]
    begins[0] = [item for item in long if item.nodeid.startswith(TOGETHER)]
    others = [item for item in long if not item.nodeid.startswith(TOGETHER)]
    files = [list(group) for _, group in groupby(others, key=lambda item: item.path)]
    for number, file in enumerate(files):
        begins[1 + number % (workers - 1)] += file
    ordered: list[pytest.Item] = []
    left = len(items)
    for number, begin in enumerate(begins):
        share = left // (workers - number)
        fill = max(0, share - len(begin))
        ordered += [*begin, *short[:fill]]
        short = short[fill:]
        left = len(items) - len(ordered)
    return [*ordered, *short]
