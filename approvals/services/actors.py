"""How the audit record names who acted. Knows nothing of what they did."""

from __future__ import annotations

from typing import Final
from uuid import UUID

SWEEPER: Final = "system:sweeper"
GATEWAY: Final = "system:gateway"
COURIER: Final = "system:courier"


def person(person_id: UUID) -> str:
    """A human being."""
    return f"person:{person_id}"


def agent(agent_id: UUID) -> str:
    """A program that calls tools."""
    return f"agent:{agent_id}"


def worker(name: str) -> str:
    """An executor."""
    return f"system:worker:{name}"[:120]
