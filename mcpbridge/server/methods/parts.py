"""What the families of methods work with. One of it per event loop."""

from __future__ import annotations

from dataclasses import dataclass

from mcpbridge.server.levels import LogLevels
from mcpbridge.server.listening import ListeningSessions
from mcpbridge.server.paused import PausedCalls
from mcpbridge.server.road import Road
from mcpbridge.server.subscriptions import Subscriptions
from mcpbridge.server.waiting import Waiters


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The held calls of this process, those that wait for a ticket, and the road of a call."""

    waiters: Waiters
    paused: PausedCalls
    road: Road
    levels: LogLevels
    subscriptions: Subscriptions
    listening: ListeningSessions

    @classmethod
    def around(cls, waiters: Waiters) -> Parts:
        """The parts that share these waiters."""
        paused = PausedCalls(waiters)
        return cls(
            waiters=waiters,
            paused=paused,
            road=Road(paused),
            levels=LogLevels(),
            subscriptions=Subscriptions(),
            listening=ListeningSessions(),
        )
