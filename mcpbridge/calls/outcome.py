# ruff: noqa: D102 (a protocol of facts: each name says what it is)
"""What an agent is told about its call: a pure function of the ticket's facts.

An outcome is one of a few frozen kinds, read from a ticket or stated by the enforcement point;
`wording` puts each into words and results. Knows neither rows nor wire.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

from mcpbridge.calls.edited import Edited, edited_from
from mcpbridge.calls.strict_json import JSON

type Stage = Literal["deciding", "approved", "running", "again"]  # again: sent before, to no avail

NO_ANSWER: Final = "no_answer"  # why an outcome is unknown though the ticket ended otherwise


class TicketFacts(Protocol):
    """What of a ticket the agent may be told; the ledger's view of a ticket has all of it.

    `result` is what the upstream answered, as JSON: a call's result, or a JSON-RPC error.
    """

    @property
    def uid(self) -> object: ...
    @property
    def number(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def upstream_name(self) -> str: ...
    @property
    def tool_name(self) -> str: ...
    @property
    def approval_expires_at(self) -> datetime: ...
    @property
    def execution_expires_at(self) -> datetime | None: ...
    @property
    def have(self) -> int: ...
    @property
    def need(self) -> int: ...
    @property
    def groups(self) -> tuple[str, ...]: ...
    @property
    def requests(self) -> int: ...
    @property
    def cancel_reason(self) -> str | None: ...
    @property
    def unknown_reason(self) -> str | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def result(self) -> bytes | None: ...
    @property
    def by_grant(self) -> bool: ...
    @property
    def edited(self) -> bool: ...
    @property
    def edited_arguments(self) -> bytes | None: ...
    @property
    def edited_pointers(self) -> tuple[str, ...]: ...
    @property
    def path(self) -> str: ...
    @property
    def was_sent(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRef:
    """The ticket an outcome speaks of. `url` is where people see it, or empty."""

    uid: str
    number: int
    tool: str
    requests: int = 1
    by_grant: bool = False
    edited: Edited | None = None
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """The upstream answered. `result` is its whole answer, which may say isError."""

    result: dict[str, JSON]
    ticket: TicketRef | None = None

    @property
    def is_tool_error(self) -> bool:
        """Whether the tool itself reports that it failed."""
        return self.result.get("isError") is True


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamError:
    """The upstream answered with a JSON-RPC error."""

    code: int
    message: str
    data: JSON = None
    ticket: TicketRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """It was allowed, but certainly never reached the upstream."""

    why: str
    ticket: TicketRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A person said no; `reason` are their words and may be empty."""

    reason: str
    ticket: TicketRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """A deadline passed before anything was sent."""

    approved: bool
    at: datetime | None
    ticket: TicketRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Withdrawn before anything was sent; `reason` is one of the ledger's cancel reasons."""

    reason: str
    ticket: TicketRef


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeUnknown:
    """It may have run: sent, and no proof of its outcome came back."""

    reason: str
    ticket: TicketRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultGone:
    """It was executed, but what the upstream answered is no longer kept."""

    succeeded: bool
    ticket: TicketRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Not over yet. The agent may come back with the ticket's id."""

    stage: Stage
    have: int
    need: int
    groups: tuple[str, ...]
    deadline: datetime | None
    ticket: TicketRef


@dataclass(frozen=True, slots=True, kw_only=True)
class DeniedByPolicy:
    """Policy forbids the call outright. `rule` is its name, empty where it is not to be told."""

    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitchOn:
    """Everything is stopped; nothing was recorded as waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPaused:
    """People paused this agent: none of its calls is put before them until it is resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """The gateway cannot act on the call now; nothing was executed.

    `retry_after` (seconds) says when trying again makes sense; 0 where nobody can say.
    """

    why: str
    retry: bool = True
    retry_after: int = 0


type Outcome = (
    Executed
    | UpstreamError
    | NotSent
    | Rejected
    | Expired
    | Cancelled
    | OutcomeUnknown
    | ResultGone
    | Pending
    | DeniedByPolicy
    | KillSwitchOn
    | AgentPaused
    | Unavailable
)


def outcome_of(ticket: TicketFacts, *, public_url: str = "") -> Outcome:
    """The outcome a ticket stands for now.

    An unknown state reads as an unknown outcome: the agent must not repeat what may have run. So
    does an end without an answer of what had been sent: a tool that may be sent again was, and
    then never was again.
    """
    ref = ticket_ref(ticket, public_url=public_url)
    match ticket.state:
        case "expired" | "cancelled" if ticket.was_sent:
            return OutcomeUnknown(reason=NO_ANSWER, ticket=ref)
        case "pending" | "approved" | "claimed" | "sent":
            return _pending(ticket, ref)
        case "succeeded" | "failed":
            return _ended(ticket, ref)
        case "rejected":
            return Rejected(reason=ticket.reason, ticket=ref)
        case "expired":
            approved = ticket.execution_expires_at is not None
            at = ticket.execution_expires_at if approved else ticket.approval_expires_at
            return Expired(approved=approved, at=at, ticket=ref)
        case "cancelled":
            return Cancelled(reason=str(ticket.cancel_reason or ""), ticket=ref)
        case _:
            return OutcomeUnknown(reason=str(ticket.unknown_reason or ""), ticket=ref)


def ticket_ref(ticket: TicketFacts, *, public_url: str = "") -> TicketRef:
    """How an outcome names its ticket."""
    return TicketRef(
        uid=str(ticket.uid),
        number=ticket.number,
        tool=f"{ticket.tool_name} on {ticket.upstream_name}",
        requests=ticket.requests,
        by_grant=ticket.by_grant,
        edited=(
            edited_from(ticket.edited_arguments, ticket.edited_pointers) if ticket.edited else None
        ),
        url=public_url.rstrip("/") + ticket.path if public_url else "",
    )


def _pending(ticket: TicketFacts, ref: TicketRef) -> Pending:
    stage: Stage = "approved"
    if ticket.state == "pending":
        stage = "deciding"
    elif ticket.state == "sent":
        stage = "running"
    elif ticket.was_sent:
        stage = "again"
    return Pending(
        stage=stage,
        have=ticket.have,
        need=ticket.need,
        groups=ticket.groups,
        deadline=(
            ticket.approval_expires_at if stage == "deciding" else ticket.execution_expires_at
        ),
        ticket=ref,
    )


def _ended(ticket: TicketFacts, ref: TicketRef) -> Outcome:
    succeeded = ticket.state == "succeeded"
    if ticket.result is None:
        if succeeded or not ticket.reason:
            return ResultGone(succeeded=succeeded, ticket=ref)
        if ticket.was_sent:
            return OutcomeUnknown(reason=NO_ANSWER, ticket=ref)
        return NotSent(why=ticket.reason, ticket=ref)
    answer = _answer(ticket.result)
    error = None if succeeded else _error_in(answer)
    if error is not None:
        code, message = error.get("code"), error.get("message")
        return UpstreamError(
            code=code if type(code) is int else 0,
            message=message if isinstance(message, str) else "no message",
            data=error.get("data"),
            ticket=ref,
        )
    return Executed(result=answer, ticket=ref)


def _error_in(answer: dict[str, JSON]) -> dict[str, JSON] | None:
    """The JSON-RPC error an answer is, bare or as its only member; a result is none."""
    wrapped = answer.get("error")
    if len(answer) == 1 and isinstance(wrapped, dict):
        return wrapped
    is_result = "content" in answer or "isError" in answer or "structuredContent" in answer
    return None if is_result or "code" not in answer else answer


def _answer(recorded: bytes) -> dict[str, JSON]:
    """The recorded answer; one that cannot be read is told as it stands, never dropped.

    Read leniently: what an upstream was held to is settled before its answer is recorded, and an
    agent is to get what was recorded, integers beyond 2^53 included.
    """
    try:
        value: JSON = json.loads(recorded)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    text = recorded.decode("utf-8", "replace")
    return {"content": [{"type": "text", "text": text}]}
