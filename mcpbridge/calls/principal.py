"""Who calls: the agent behind a verified bearer token, as plain data.

Made by the agent's face, read by the enforcement point. Holds no secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A live agent with the token it showed. True at `gate_epoch`, and only there."""

    agent_id: UUID
    agent_name: str
    token_id: UUID
    team_id: UUID
    person_id: UUID  # the agent's owner, who answers for it
    gate_epoch: int  # of the gate when the token was verified
    hold_seconds: int | None  # None: the limit follows the client
    grace_seconds: int
    max_open_tickets: int
