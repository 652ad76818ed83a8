"""What flows back from the ledger: functions of the layers above, named by dotted path.

`settings.APPROVALS_PORTS` names them:

    approved            (uid: UUID) -> None    a ticket may be executed; a hint, may be lost
    ended               (uid: UUID) -> None    a ticket ended without execution; a hint
    owner_of_agent      (agent_id: UUID) -> UUID | None    the person who owns the agent now
    attempts_allowed    (*, upstream_id: UUID, tool_name: str) -> int    sends that an admin allows
    calls_unasked       (*, agent_id: UUID, seconds: int, most: int) -> tuple[int, int]
                        what policy allowed and denied outright, of the newest calls
    read_json           (raw: bytes) -> JSON    strictly, as a submission is read; ValueError
    heartbeat           (*, kind: str, name: str) -> None    a process is alive
    checkpoint_sources  list of LeafSource, whose rows the checkpoints cover too

The hints never raise into the ledger. `owner_of_agent` is asked before an approval counts, and
an error in it refuses the approval. `attempts_allowed` is asked before anything is sent a second
time, and an error in it means once. Without `calls_unasked` nobody can say. Without `read_json`
nothing that people type as JSON is taken. Knows nothing of who implements them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError
from django.utils.module_loading import import_string

from approvals.domain.canonical import JSON

logger = logging.getLogger(__name__)

type Leaf = tuple[str, bytes]
type LeafSource = Callable[..., Iterable[Leaf]]


def approved(uid: UUID) -> None:
    """Ring for a ticket that may be executed."""
    _ring("approved", uid)


def ended(uid: UUID) -> None:
    """Ring for a ticket that ended without having been executed."""
    _ring("ended", uid)


def owner_of_agent(agent_id: UUID) -> UUID | None:
    """The person who owns the agent now; None when nobody above knows the agent."""
    path = _path("owner_of_agent")
    if path is None:
        return None
    owner = import_string(path)(agent_id)
    if owner is not None and not isinstance(owner, UUID):
        raise TypeError(f"{path} must return a UUID or None, not {type(owner).__name__}")
    return owner


def attempts_allowed(*, upstream_id: UUID, tool_name: str) -> int:
    """How often an admin lets a call of this tool be sent now; 1 where nobody can say."""
    path = _path("attempts_allowed")
    if path is None:
        return 1
    try:
        allowed = import_string(path)(upstream_id=upstream_id, tool_name=tool_name)
    except DatabaseError:
        raise  # the caller's transaction is lost, and with it the second send
    except Exception:
        logger.exception("Nobody can say whether %s may be sent again.", tool_name)
        return 1
    return allowed if isinstance(allowed, int) and not isinstance(allowed, bool) else 1


def calls_unasked(*, agent_id: UUID, seconds: int, most: int) -> tuple[int, int] | None:
    """How many calls of the last `seconds` policy allowed and denied without asking anybody.

    Of the `most` newest of them; None where nobody can say.
    """
    path = _path("calls_unasked")
    if path is None:
        return None
    allowed, denied = import_string(path)(agent_id=agent_id, seconds=seconds, most=most)
    return int(allowed), int(denied)


def read_json(raw: bytes) -> JSON:
    """The value of JSON that a person typed, by the rules for submissions; raises ValueError."""
    path = _path("read_json")
    if path is None:
        raise ValueError("nobody here reads JSON")
    value: JSON = import_string(path)(raw)
    return value


def heartbeat(kind: str, name: str) -> None:
    """Tell whoever wants to know that a process is alive; raises what they raise."""
    path = _path("heartbeat")
    if path is not None:
        import_string(path)(kind=kind, name=name)


def checkpoint_sources() -> list[LeafSource]:
    """The sources of further checkpoint leaves, in their configured order."""
    return [import_string(path) for path in _ports().get("checkpoint_sources", [])]


def _ring(name: str, uid: UUID) -> None:
    path = _path(name)
    if path is None:
        return
    try:
        import_string(path)(uid)
    except Exception:  # a hint may be lost: workers look at the rows once a second
        logger.warning("The %s hint for ticket %s was lost.", name, uid, exc_info=True)


def _path(name: str) -> str | None:
    path = _ports().get(name)
    return str(path) if path else None


def _ports() -> dict[str, list[str] | str]:
    return getattr(settings, "APPROVALS_PORTS", {})
