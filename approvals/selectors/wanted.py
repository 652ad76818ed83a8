"""What a person looks for in the history. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from approvals.domain.states import TERMINAL, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person looks for; what is empty does not narrow.

    `words` is a part of any name, `reviewer` and `owner` of a person's name or their whole e-mail
    address. Times are aware; `until` itself is outside.
    """

    words: str = ""
    states: frozenset[State] = frozenset()
    agent: str = ""
    upstream: str = ""
    tool: str = ""
    reviewer: str = ""
    owner: str = ""
    risk: str = ""
    since: datetime | None = None
    until: datetime | None = None
    number: int | None = None


OVER: Final = Wanted(states=frozenset(TERMINAL))
