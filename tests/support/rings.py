"""The ledger's ports as a notebook: what was rung for, and who owns which agent."""

from __future__ import annotations

from uuid import UUID

rung_approved: list[UUID] = []
rung_ended: list[UUID] = []
alive: list[tuple[str, str]] = []
owners: dict[UUID, UUID] = {}
attempts: dict[str, int] = {}  # by tool
unasked: dict[UUID, tuple[int, int]] = {}  # by agent: allowed, denied

PORTS = {
    name: f"tests.support.rings.{name}"
    for name in (
        "approved",
        "ended",
        "owner_of_agent",
        "attempts_allowed",
        "calls_unasked",
        "heartbeat",
    )
}
PORTS["read_json"] = "mcpbridge.calls.strict_json.parse"


def forget() -> None:
    """An empty notebook."""
    for page in (rung_approved, rung_ended, alive, owners, attempts, unasked):
        page.clear()


def approved(uid: UUID) -> None:
    """A ticket may be executed."""
    rung_approved.append(uid)


def ended(uid: UUID) -> None:
    """A ticket ended without execution."""
    rung_ended.append(uid)


def owner_of_agent(agent_id: UUID) -> UUID | None:
    """Who owns the agent now, as the test said."""
    return owners.get(agent_id)


def attempts_allowed(*, upstream_id: UUID, tool_name: str) -> int:
    """As often as the test said, else as often as the ticket itself allows."""
    return attempts.get(tool_name, 99)


def calls_unasked(*, agent_id: UUID, seconds: int, most: int) -> tuple[int, int]:
    """What policy decided alone, as the test said."""
    return unasked.get(agent_id, (0, 0))


def heartbeat(*, kind: str, name: str) -> None:
    """A process is alive."""
    alive.append((kind, name))


def broken(*args: object) -> UUID:
    """Whatever answers here is out of order."""
    raise ConnectionError("the port is out of order")
