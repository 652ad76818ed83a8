"""A ticket as a task of the extension `io.modelcontextprotocol/tasks` (SEP-2663). Pure.

`failed` is kept for JSON-RPC errors of the upstream, and `cancelled` for calls that their own
agent took back or left; everything else that ended is `completed` with a result that says what
happened, because a model reads results and may never see a status message.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Protocol

from mcpbridge.calls.outcome import Cancelled, Outcome, Pending, TicketFacts, UpstreamError
from mcpbridge.calls.strict_json import JSON
from mcpbridge.calls.wording import call_result, outcome_meta, outcome_text, progress_text

POLL_DECIDING_MS: Final = 2000  # people take their time
POLL_RUNNING_MS: Final = 1000
_OWN_DOING: Final = frozenset({"withdrawn", "agent_gone"})

type Status = Literal["working", "completed", "cancelled", "failed"]


class TaskFacts(TicketFacts, Protocol):
    """What a task tells of its ticket beyond the outcome: when it was made, decided and over."""

    @property
    def created_at(self) -> datetime: ...  # noqa: D102 (the name says it)
    @property
    def decided_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def ended_at(self) -> datetime | None: ...  # noqa: D102


def status_of(outcome: Outcome) -> Status:
    """The status that a task with this outcome shows."""
    match outcome:
        case Pending():
            return "working"
        case UpstreamError():
            return "failed"
        case Cancelled(reason=reason) if reason in _OWN_DOING:
            return "cancelled"
        case _:
            return "completed"


def expires_at(ticket: TaskFacts, *, kept: timedelta) -> datetime:
    """Until when the task can be asked for: its last deadline, and then as long as it is kept."""
    last = ticket.ended_at or ticket.execution_expires_at or ticket.approval_expires_at
    return last + kept


def task_fields(ticket: TaskFacts, outcome: Outcome, *, kept: timedelta) -> dict[str, JSON]:
    """The task without its result: what creating it tells, and what every later answer repeats."""
    changed = ticket.ended_at or ticket.decided_at or ticket.created_at
    deciding = isinstance(outcome, Pending) and outcome.stage == "deciding"
    lives = expires_at(ticket, kept=kept) - ticket.created_at
    fields: dict[str, JSON] = {
        "taskId": str(ticket.uid),
        "status": status_of(outcome),
        "createdAt": _instant(ticket.created_at),
        "lastUpdatedAt": _instant(changed),
        "ttlMs": max(1, int(lives.total_seconds() * 1000)),
        "pollIntervalMs": POLL_DECIDING_MS if deciding else POLL_RUNNING_MS,
    }
    if fields["status"] == "working":
        fields["statusMessage"] = progress_text(outcome, number=ticket.number)
        fields["_meta"] = outcome_meta(outcome, is_modern=True, as_task=True)
    elif fields["status"] == "cancelled":
        fields["statusMessage"] = outcome_text(outcome)
    return fields


def detailed_task(ticket: TaskFacts, outcome: Outcome, *, kept: timedelta) -> dict[str, JSON]:
    """The whole task: with its result once it is completed, with its error once it failed."""
    fields = task_fields(ticket, outcome, kept=kept)
    if fields["status"] == "completed":
        fields["result"] = call_result(outcome, is_modern=True)
    elif isinstance(outcome, UpstreamError):
        error: dict[str, JSON] = {"code": outcome.code, "message": outcome_text(outcome)}
        if outcome.data is not None:
            error["data"] = outcome.data
        fields["error"] = error
    return fields


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
