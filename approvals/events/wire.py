"""How a doorbell message looks on the channel layer. Knows neither rows nor listeners."""

from __future__ import annotations

from typing import Any, Final

GROUP: Final = "placet"
TYPE: Final = "placet.changed"  # channel layers want a type; nobody dispatches on it

type Message = dict[str, Any]


def ticket_message(*, uid: object, version: int, state: str, team_id: object) -> Message:
    """The message about one ticket."""
    return {"type": TYPE, "t": str(uid), "v": version, "s": str(state), "m": str(team_id)}


def gate_message(*, epoch: int, killed: bool) -> Message:
    """The message about the gate."""
    return {"type": TYPE, "g": epoch, "k": killed}
