"""Outcomes in words a model can act on, and as the result of `tools/call`.

Every text says whether something was executed and whether to try again. Pure: one outcome, one
answer.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, assert_never

from mcpbridge.calls.dispositions import (
    AUTHORIZATION_KEY,
    DISPOSITION_KEY,
    OURS,
    denial,
    disposition,
    without_ours,
)
from mcpbridge.calls.edited import edited_facts, edited_text, one_line
from mcpbridge.calls.naming import AWAIT_TICKET
from mcpbridge.calls.outcome import (
    NO_ANSWER,
    AgentPaused,
    Cancelled,
    DeniedByPolicy,
    Executed,
    Expired,
    KillSwitchOn,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Pending,
    Rejected,
    ResultGone,
    TicketRef,
    Unavailable,
    UpstreamError,
)
from mcpbridge.calls.strict_json import JSON

TICKET_KEY: Final = "placet/ticket"
RETRY_AFTER_KEY: Final = "placet/retry-after"  # seconds
EDITED_KEY: Final = "placet/edited"
MAX_QUOTED: Final = 2000

_CANCELLED: Final = {
    "withdrawn": "the request was cancelled by its client",
    "agent_gone": "its client had gone and nobody waited for it any more",
    "owner": "the agent's owner withdrew it",
    "operator": "an operator withdrew it",
    "kill_switch": "an operator stopped all calls",
    "approval_revoked": "its approval was taken back before it was sent",
    "grant_revoked": "the standing permission behind it was revoked",
    "token_revoked": "the agent's token was revoked",
    "drift": "the tool or its server changed after the call was made",
    "canary": "it was a test of the reviewers",
    "policy_denies": "policy no longer allows it",
}
_UNKNOWN: Final = {
    "timeout": "the server did not answer in time",
    "eof": "the connection ended before the answer",
    "malformed": "the server's answer could not be read",
    "oversize": "the server's answer was too large",
    "aborted": "the call was aborted while it ran",
    "lease_lost": "the process that ran it was lost",
    "wrong_id": "the server answered something else",
    NO_ANSWER: "no answer came, and it was not sent again",
}


def outcome_text(outcome: Outcome) -> str:  # noqa: C901, PLR0912 (one branch per kind of outcome)
    """What happened, whether anything ran, and what to do next."""
    match outcome:
        case Executed():
            return _executed(outcome)
        case UpstreamError(code=code, message=message):
            return (
                f"{_head(outcome.ticket, 'Approved and sent')}, but the server answered with an"
                f" error ({code}): {_quoted(message)}{_edited(outcome.ticket, 'was sent')}"
            )
        case NotSent(why=why):
            return (
                f"{_head(outcome.ticket, 'Not executed')}: the call could not be sent"
                f" ({one_line(why)}). Nothing reached the server; you may try again."
            )
        case Rejected(reason=reason):
            said = f" The reviewer's reason: {_quoted(reason)}" if reason else ""
            return (
                f"{_head(outcome.ticket, 'Rejected')} by a reviewer. Nothing was executed.{said}"
                f"{_edited(outcome.ticket, 'would have run')} Do not repeat the call unchanged."
            )
        case Expired():
            return _expired(outcome)
        case Cancelled(reason=reason):
            why = _CANCELLED.get(reason, "it was withdrawn")
            return f"{_head(outcome.ticket, 'Cancelled')}: {why}. Nothing was executed."
        case OutcomeUnknown(reason=reason):
            why = _UNKNOWN.get(reason, "no answer was recorded")
            return (
                f"{_head(outcome.ticket, 'Outcome unknown')}: the call was sent, but {why}. It may"
                " have been executed. Do not repeat it; find out what happened, or ask a person."
                f"{_edited(outcome.ticket, 'was sent')}"
            )
        case ResultGone(succeeded=succeeded):
            how = "The server answered" if succeeded else "The server answered with an error"
            return (
                f"{_head(outcome.ticket, 'Approved and executed')}. {how}, but its answer is no"
                f" longer kept. Do not repeat the call to see it.{_edited(outcome.ticket, 'ran')}"
            )
        case Pending():
            return pending_text(outcome)
        case DeniedByPolicy(rule=rule):
            named = f" (rule {_quoted(rule)})" if rule else ""
            return (
                f"Denied by policy{named}. Nothing was executed, and nobody was asked."
                " Repeating the call will not change this."
            )
        case KillSwitchOn():
            return (
                "An operator has stopped all calls. Nothing was executed and nothing is waiting."
                " Try again only when you are told that calls run again."
            )
        case AgentPaused():
            return (
                "People have paused this agent, because too many of its calls waited for them."
                " Nothing was executed and nothing is waiting. Calls that need no approval still"
                " run. Do not repeat this call until you are told that the agent is resumed."
            )
        case Unavailable(why=why, retry=retry, retry_after=seconds):
            then = "You may try again later." if retry else "Repeating the call will not help."
            if retry and seconds:
                then = f"Do not repeat it before {seconds} seconds have passed."
            return f"The call could not be handled: {one_line(why)}. Nothing was executed. {then}"
        case _:
            assert_never(outcome)


def progress_text(outcome: Outcome, *, number: int) -> str:
    """Where ticket `number` stands, in one line: who is waited for, and where people see it."""
    if not isinstance(outcome, Pending):
        return f"Ticket {number}: the outcome is known."
    match outcome.stage:
        case "deciding":
            asked = ", ".join(one_line(name) for name in outcome.groups) or "the reviewers"
            where = f"waiting for approval by {asked} ({outcome.have} of {outcome.need} so far)"
        case "approved":
            where = "approved, about to run"
        case "running":
            where = "approved, running"
        case "again":
            where = "approved, sent without an answer, about to be sent again"
    return f"Ticket {number}: {where}. {outcome.ticket.url}".rstrip()


def pending_text(outcome: Pending) -> str:
    """Where an open ticket stands, and how to go on waiting."""
    ticket = outcome.ticket
    by = f" until {_time(outcome.deadline)}" if outcome.deadline else ""
    match outcome.stage:
        case "deciding":
            asked = ", ".join(one_line(name) for name in outcome.groups) or "the reviewers"
            where = (
                f"Pending: {_call(ticket)} waits for approval by {asked}"
                f" ({outcome.have} of {outcome.need} so far){by}."
                " This is not a failure, and nothing has been executed."
            )
        case "approved":
            where = f"Approved, not executed yet: {_call(ticket)} is about to run{by}."
        case "running":
            where = f"Approved and sent: {_call(ticket)} is running and has not ended yet."
        case "again":
            where = (
                f"Approved and sent: no answer to {_call(ticket)} came, and it is about to be sent"
                f" again{by}. It may have been executed already."
            )
    shared = _edited(ticket, "runs" if outcome.stage == "running" else "would run")
    shared += _shared(ticket)
    seen = f" People see it at {ticket.url}." if ticket.url else ""
    return (
        f"{where}{shared} To wait for the outcome, call {AWAIT_TICKET} with ticket_id"
        f' "{ticket.uid}". Other arguments would be another call, asked about anew.{seen}'
    )


def call_result(
    outcome: Outcome, *, has_output_schema: bool = False, is_modern: bool = False
) -> dict[str, JSON]:
    """The outcome as the result of `tools/call`, for a client of 2026-07-28 or later or not.

    An executed call's result is the upstream's own with one text added at its end, and that only
    where a ticket stood behind it. A pending call is no error; but a client holds a result that
    is none to the tool's output schema, so under such a schema it has to be marked as one.
    """
    if isinstance(outcome, Executed):
        return _upstream_result(outcome)
    result: dict[str, JSON] = {
        "content": [_text(outcome_text(outcome))],
        "isError": has_output_schema or not isinstance(outcome, Pending),
    }
    meta = outcome_meta(outcome, is_modern=is_modern)
    if meta:
        result["_meta"] = meta
    if isinstance(outcome, Pending):
        result["structuredContent"] = _structured(outcome)
    return result


def outcome_ticket(outcome: Outcome) -> TicketRef | None:
    """The ticket behind an outcome, if there is one."""
    if isinstance(outcome, DeniedByPolicy | KillSwitchOn | AgentPaused | Unavailable):
        return None
    return outcome.ticket


def outcome_meta(
    outcome: Outcome, *, is_modern: bool = False, as_task: bool = False
) -> dict[str, JSON]:
    """What `_meta` says of an outcome: its disposition, its ticket, and why it was denied."""
    meta: dict[str, JSON] = {}
    settled = disposition(outcome)
    if settled:
        meta[DISPOSITION_KEY] = settled
    envelope = denial(outcome, as_task=as_task) if is_modern else None
    if envelope is not None:
        meta[AUTHORIZATION_KEY] = envelope
    if isinstance(outcome, Unavailable) and outcome.retry_after:
        meta[RETRY_AFTER_KEY] = outcome.retry_after
    ticket = outcome_ticket(outcome)
    if ticket is not None:
        meta[TICKET_KEY] = ticket.uid
        if ticket.edited is not None:
            meta[EDITED_KEY] = edited_facts(ticket.edited)
    return meta


def _upstream_result(outcome: Executed) -> dict[str, JSON]:
    result = dict(outcome.result)
    theirs = result.get("_meta")
    if isinstance(theirs, dict) and not OURS.isdisjoint(theirs):
        result["_meta"] = without_ours(theirs)
    if outcome.ticket is None:
        return result
    content = result.get("content")
    own = content if isinstance(content, list) else []
    result["content"] = [*own, _text(outcome_text(outcome))]
    result["_meta"] = {**without_ours(theirs), **outcome_meta(outcome)}
    return result


def _structured(outcome: Pending) -> dict[str, JSON]:
    found: dict[str, JSON] = {
        "status": "pending",
        "stage": outcome.stage,
        "ticket_id": outcome.ticket.uid,
        "ticket_number": outcome.ticket.number,
        "executed": None if outcome.stage in {"running", "again"} else False,
        "approvals": outcome.have,
        "approvals_needed": outcome.need,
        "next_tool": AWAIT_TICKET,
    }
    if outcome.ticket.edited is not None:
        found["edited"] = edited_facts(outcome.ticket.edited)
    if outcome.deadline:
        found["deadline"] = outcome.deadline.astimezone(UTC).isoformat(timespec="seconds")
    if outcome.ticket.url:
        found["url"] = outcome.ticket.url
    return found


def _executed(outcome: Executed) -> str:
    ticket = outcome.ticket
    if ticket is None:
        return "Allowed by policy and executed."
    how = "Allowed by a standing permission" if ticket.by_grant else "Approved by a person"
    text = f"{how} and executed once: {_call(ticket)}."
    if outcome.is_tool_error:
        text += " The tool reports an error, see above."
    return text + _edited(ticket, "ran") + _shared(ticket)


def _edited(ticket: TicketRef | None, tense: str) -> str:
    return edited_text(ticket.edited, tense) if ticket is not None else ""


def _expired(outcome: Expired) -> str:
    at = f" at {_time(outcome.at)}" if outcome.at else ""
    if outcome.approved:
        why = f"it was approved, but not executed before its deadline passed{at}"
    else:
        why = f"nobody decided on it before the deadline passed{at}"
    return (
        f"{_head(outcome.ticket, 'Expired')}: {why}. Nothing was executed."
        " You may make the call again; people will be asked anew."
    )


def _head(ticket: TicketRef | None, word: str) -> str:
    return f"{word}: {_call(ticket)}" if ticket else word


def _call(ticket: TicketRef) -> str:
    return f"{one_line(ticket.tool)} (ticket {ticket.number})"


def _shared(ticket: TicketRef) -> str:
    return f" There is one execution for {ticket.requests} requests." if ticket.requests > 1 else ""


def _text(text: str) -> dict[str, JSON]:
    return {"type": "text", "text": text}


def _quoted(text: str) -> str:
    """Somebody else's words, marked as such."""
    clean = one_line(text)
    return f"“{clean}”" if len(clean) <= MAX_QUOTED else f"“{clean[:MAX_QUOTED]}…”"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
