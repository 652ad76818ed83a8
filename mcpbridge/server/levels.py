"""The log levels that sessions of the 2025 revisions have set. Forgets the oldest ones."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final
from uuid import UUID

MOST: Final = 10_000


class LogLevels:
    """Levels by session; a session's level is told to its own agent only."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._levels: OrderedDict[str, tuple[UUID, str]] = OrderedDict()

    def set(self, session: str, *, agent: UUID, level: str) -> None:
        """The agent's session wants messages from `level` on."""
        self._levels[session] = (agent, level)
        self._levels.move_to_end(session)
        while len(self._levels) > self._most:
            self._levels.popitem(last=False)

    def of(self, session: str, *, agent: UUID) -> str:
        """What the session wants; empty where it never said."""
        owner, level = self._levels.get(session, (agent, ""))
        return level if owner == agent else ""
