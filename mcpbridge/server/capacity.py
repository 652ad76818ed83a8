"""How many requests one process may hold open before it refuses politely.

A held call keeps a file descriptor. Near the limit the process would lock out its reviewers too,
so newcomers are told to come back. Knows the process's limits, not what the requests are.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from mcpbridge.server.wire import Refused

RESERVE: Final = 256  # descriptors kept for people, databases, brokers and upstreams
RETRY_SECONDS: Final = 5
_SMALLEST: Final = 16
_UNLIMITED: Final = 1_000_000


def open_files() -> int:
    """The soft limit on this process's file descriptors."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft


class Capacity:
    """Counts the requests in flight against what the process can hold."""

    def __init__(self, limit: Callable[[], int] = open_files) -> None:
        self._limit = limit
        self.in_flight = 0

    @property
    def most(self) -> int:
        """How many requests may be in flight at once."""
        limit = self._limit()
        return max(_SMALLEST, limit - max(RESERVE, limit // 10))

    @contextmanager
    def one(self) -> Iterator[None]:
        """Room for one request. Raises Refused (503, Retry-After) when there is none."""
        if self.in_flight >= self.most:
            raise Refused(
                503,
                f"{self.in_flight} requests are open, as many as this process holds; come back",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
