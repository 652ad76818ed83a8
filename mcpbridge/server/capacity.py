"""How many requests one process may hold open before it refuses politely.

A held call keeps a file descriptor. Near the limit the process would lock out its reviewers too,
so newcomers are told to come back. Knows the process's limits, not what the requests are.
"""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

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
        self._by_agent: Counter[UUID] = Counter()
        self._shared = 0  # the sum of them

    @property
    def most(self) -> int:
        """How many requests may be in flight at once."""
        limit = self._limit()
        return max(_SMALLEST, limit - max(RESERVE, limit // 10))

    @contextmanager
    def share(self, agent_id: UUID) -> Iterator[None]:
        """One request of this agent, whatever its token. Raises Refused (429).

        An agent may hold half of what the others leave, so that there is always room for one more.
        """
        own = self._by_agent[agent_id]
        if own >= (self.most - (self._shared - own)) // 2:
            raise Refused(
                429,
                f"this agent has {own} requests open, as many as it may; wait for some to end",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        self._by_agent[agent_id] += 1
        self._shared += 1
        try:
            yield
        finally:
            self._shared -= 1
            self._by_agent[agent_id] -= 1
            if not self._by_agent[agent_id]:
                del self._by_agent[agent_id]

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
