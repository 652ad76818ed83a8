"""Tickets as rows of a list: who wants what, until when, and how far the quorum is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from approvals.domain.obligations import obligations_from
from approvals.domain.states import CancelReason, State
from approvals.models import Ticket
from approvals.presenters.calls import Call
from approvals.presenters.words import (
    CANCELLED_BECAUSE,
    RISK_MARKS,
    STATE_MARKS,
    Mark,
    ago,
    is_soon,
    until,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One ticket in a list."""

    uid: str
    number: int
    version: int
    url: str
    row_url: str
    mark: Mark
    call: Call
    when_label: str
    when: datetime
    when_words: str
    soon: bool
    ticks: bool
    have: int
    need: int
    quorum_words: str
    selectable: bool  # for deciding on several at once
    handed_by: str = ""
    away_until: datetime | None = None


def present_row(ticket: Ticket, call: Call, *, have: int, groups: str, now: datetime) -> Row:
    """A row for `ticket`; `have` is its number of counting approvals, `groups` who is asked."""
    state = State(ticket.state)
    label, when, words = _when(ticket, state, now)
    need = obligations_from(ticket.obligations).quorum
    return Row(
        uid=str(ticket.uid),
        number=ticket.pk,
        version=ticket.version,
        url=reverse("approvals:ticket", args=[ticket.uid]),
        row_url=reverse("approvals:row", args=[ticket.uid]),
        mark=RISK_MARKS[ticket.risk] if state is State.PENDING else STATE_MARKS[state],
        call=call,
        when_label=label,
        when=when,
        when_words=words,
        soon=state is State.PENDING and is_soon(ticket.approval_expires_at, now),
        ticks=state is State.PENDING,
        have=have,
        need=need,
        selectable=state is State.PENDING,
        quorum_words=groups or ngettext("approval", "approvals", need),
    )


def unticked(row: Row) -> Row:
    """The same row where nothing is done with several at once, and as it is renewed there."""
    return replace(row, selectable=False, row_url=f"{row.row_url}?tick=no")


def _when(ticket: Ticket, state: State, now: datetime) -> tuple[str, datetime, str]:
    """The label, moment and words of the one time that matters in this state."""
    if state is State.PENDING:
        return gettext("By"), ticket.approval_expires_at, until(ticket.approval_expires_at, now)
    if state is State.SENT:
        sent = ticket.sent_at or ticket.created_at
        return gettext("Sent"), sent, ago(sent, now)
    if ticket.ended_at is None:
        decided = ticket.decided_at or ticket.created_at
        return gettext("Approved"), decided, gettext("waiting for a worker")
    return gettext("Ended"), ticket.ended_at, _ending(ticket, state)


def _ending(ticket: Ticket, state: State) -> str:
    if state is State.OUTCOME_UNKNOWN:
        return (
            gettext("noted by a person") if ticket.annotated_at else gettext("record what happened")
        )
    if state is State.CANCELLED:
        return str(CANCELLED_BECAUSE[CancelReason(ticket.cancel_reason)])
    if state is State.EXPIRED:
        return (
            gettext("not run in time") if ticket.decided_at else gettext("nobody decided in time")
        )
    if state is State.SUCCEEDED:
        return gettext("approved and run")
    return (
        gettext("not run")
        if state is State.REJECTED or ticket.sent_at is None
        else gettext("ran with an error")
    )
