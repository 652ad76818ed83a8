"""How a doorbell message looks on the channel layer. Knows neither rows nor listeners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeGuard
from uuid import UUID

GROUP: Final = "placet"
TYPE: Final = "placet.changed"  # channel layers want a type; nobody dispatches on it

type Message = dict[str, Any]


def ticket_message(*, uid: object, version: int, state: str, team_id: object) -> Message:
    """The message about one ticket."""
    return {"type": TYPE, "t": str(uid), "v": version, "s": str(state), "m": str(team_id)}


def gate_message(*, epoch: int, killed: bool) -> Message:
    """The message about the gate."""
    return {"type": TYPE, "g": epoch, "k": killed}


def parcel(messages: Sequence[Message]) -> Message:
    """What travels: one message as it is, several as one."""
    return messages[0] if len(messages) == 1 else {"type": TYPE, "all": list(messages)}


def unpacked(travelled: object) -> list[object]:
    """The messages in what travelled; each may still be anything."""
    inside = travelled.get("all") if isinstance(travelled, dict) else None
    return inside if isinstance(inside, list) else [travelled]


def well_formed(message: object) -> TypeGuard[Message]:
    """Whether a message that somebody put on the layer can be a doorbell of ours.

    What it says is not trusted by this: listeners look at the rows.
    """
    if not isinstance(message, dict) or not all(isinstance(key, str) for key in message):
        return False
    if "t" in message:
        return (
            _is_uuid(message["t"]) and _is_uuid(message.get("m")) and _is_number(message.get("v"))
        )
    return "g" not in message or _is_number(message["g"])


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(UUID(value))
    except ValueError:
        return False


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
