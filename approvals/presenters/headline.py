"""How a ticket stands, in words: its state, its risk, its deadline, and what its arguments are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.translation import gettext

from approvals.domain.quorum import Resolution
from approvals.domain.states import OPEN, State
from approvals.models import Ticket
from approvals.presenters.arguments import Arguments
from approvals.presenters.words import (
    RISK_MARKS,
    RISK_WORDS,
    STATE_MARKS,
    Mark,
    missing_approvals,
    until,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The time that bounds what comes next."""

    label: str
    at: datetime
    words: str


def state_mark(state: State, resolution: Resolution) -> Mark:
    """The state, or what a pending ticket waits for."""
    if state is State.PENDING:
        missing = missing_approvals(resolution.missing, more=bool(resolution.have))
        return Mark("wait", "clock", gettext("Waiting for {missing}").format(missing=missing))
    return STATE_MARKS[state]


def risk_mark(ticket: Ticket, state: State) -> Mark | None:
    """The risk, while somebody may still decide."""
    mark = RISK_MARKS[ticket.risk]
    return replace(mark, word=RISK_WORDS[ticket.risk]) if state is State.PENDING else None


def deadline_of(ticket: Ticket, state: State, now: datetime) -> Deadline | None:
    """The time by which somebody has to decide, or the call has to start; None when neither."""
    if state is State.PENDING:
        at = ticket.approval_expires_at
        return Deadline(label=gettext("Decide by"), at=at, words=until(at, now))
    if state in {State.APPROVED, State.CLAIMED} and ticket.execution_expires_at is not None:
        at = ticket.execution_expires_at
        return Deadline(label=gettext("Must start by"), at=at, words=until(at, now))
    return None


def run_label(ticket: Ticket, state: State, *, asks: bool) -> str:
    """What the call is at this moment; `asks` where it is a question to the reviewer."""
    if asks and state is State.PENDING:  # nothing runs: these are the upstream's own words
        return gettext("What the upstream asks of you. It reads your answer.")
    if state in {State.PENDING, State.APPROVED, State.CLAIMED}:
        return (
            gettext("This will run, if approved")
            if state is State.PENDING
            else gettext("This will run")
        )
    return gettext("This was not sent") if ticket.sent_at is None else gettext("This was sent")


def arguments_caption(ticket: Ticket, state: State, arguments: Arguments) -> str:
    """What the shown arguments are to what was, would be or would have been sent."""
    if ticket.sent_at is not None:
        words = gettext("Arguments, read from the exact {size} that were sent")
    elif state in OPEN:
        words = gettext("Arguments, read from the exact {size} that would be sent")
    else:
        words = gettext("Arguments, read from the exact {size} that would have been sent")
    return words.format(size=arguments.size)
