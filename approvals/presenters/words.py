"""States, reasons and spans of time in the words that people read. Knows no rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from approvals.domain.states import CancelReason, State, UnknownReason


@dataclass(frozen=True, slots=True)
class Mark:
    """A shape, a word and a tone; never a tone alone."""

    tone: str
    icon: str
    word: str


STATE_MARKS: Final = {
    State.PENDING: Mark("wait", "clock", "Waiting for approval"),
    State.APPROVED: Mark("good", "check", "Approved"),
    State.CLAIMED: Mark("good", "turn", "Starting"),
    State.SENT: Mark("wait", "turn", "Running"),
    State.SUCCEEDED: Mark("good", "check", "Succeeded"),
    State.FAILED: Mark("refused", "warn", "Failed"),
    State.REJECTED: Mark("refused", "cross", "Rejected"),
    State.EXPIRED: Mark("off", "clock", "Expired"),
    State.CANCELLED: Mark("off", "minus", "Cancelled"),
    State.OUTCOME_UNKNOWN: Mark("wait", "unknown", "Outcome unknown"),
}

RISK_MARKS: Final = {
    "high": Mark("high", "high", "High"),
    "medium": Mark("medium", "medium", "Medium"),
    "low": Mark("low", "low", "Low"),
}

CANCELLED_BECAUSE: Final = {
    CancelReason.WITHDRAWN: "the agent withdrew its call",
    CancelReason.AGENT_GONE: "the agent went away and nobody waited any more",
    CancelReason.OWNER: "the agent's owner withdrew it",
    CancelReason.OPERATOR: "an administrator cancelled it",
    CancelReason.KILL_SWITCH: "the kill switch was turned on",
    CancelReason.APPROVAL_REVOKED: "its approval was revoked before it was sent",
    CancelReason.GRANT_REVOKED: "the standing permission behind it was revoked",
    CancelReason.TOKEN_REVOKED: "the agent's token was revoked",
    CancelReason.DRIFT: "the tool or its upstream changed after the call was made",
    CancelReason.POLICY_DENIES: "today's policy would not allow it",
}

UNKNOWN_BECAUSE: Final = {
    UnknownReason.TIMEOUT: "no answer came in time",
    UnknownReason.EOF: "the connection closed before an answer came",
    UnknownReason.MALFORMED: "the answer could not be read",
    UnknownReason.OVERSIZE: "the answer was larger than allowed",
    UnknownReason.ABORTED: "it was aborted while it ran",
    UnknownReason.LEASE_LOST: "the worker that ran it disappeared",
}

SOON: Final = timedelta(minutes=20)
SAME_DAY: Final = timedelta(hours=12)  # beyond it an hour and minute alone would mislead


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 approval`, `2 approvals`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def span(length: timedelta) -> str:
    """A length of time in at most two units, rounded down: `3 h 17 min`, `42 s`."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def until(moment: datetime, now: datetime) -> str:
    """`in 19 min`, or `time is up`."""
    return f"in {span(moment - now)}" if moment > now else "time is up"


def ago(moment: datetime, now: datetime) -> str:
    """`3 min ago`."""
    return f"{span(now - moment)} ago"


def detail_of(moment: datetime, now: datetime) -> str:
    """How much of a moment has to be shown: `minutes`, or the `day` with them."""
    return "minutes" if abs(moment - now) < SAME_DAY else "day"


def is_soon(moment: datetime, now: datetime) -> bool:
    """Whether a deadline deserves to be pointed out."""
    return moment - now <= SOON
