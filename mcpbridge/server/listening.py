"""What sessions of the 2025 revisions want to hear of. Forgets the sessions used longest ago."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from mcpbridge.catalog.offered import Place
from mcpbridge.server.subscriptions import KINDS, AgentStream

MOST: Final = 10_000


@dataclass
class Wishes:
    """What one session wants to hear of, and the stream on which it hears, while it is open."""

    agent: UUID
    uris: dict[str, Place] = field(default_factory=dict)
    stream: AgentStream | None = None

    async def change(self, uris: Mapping[str, Place]) -> None:
        """Want to hear of these resources from now on."""
        self.uris = dict(uris)
        if self.stream is not None:
            await self.stream.want(kinds=KINDS, uris=self.uris)


class ListeningSessions:
    """Wishes by session. Another agent that names the same session gets wishes of its own."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._wishes: OrderedDict[tuple[str, UUID], Wishes] = OrderedDict()

    def of(self, session: str, *, agent: UUID) -> Wishes:
        """The session's wishes."""
        found = self._wishes.setdefault((session, agent), Wishes(agent))
        self._wishes.move_to_end((session, agent))
        while len(self._wishes) > self._most:
            self._wishes.popitem(last=False)
        return found

    def forget(self, session: str, *, agent: UUID) -> None:
        """The session is over."""
        self._wishes.pop((session, agent), None)
