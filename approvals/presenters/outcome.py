"""How a ticket ended, or that nobody knows: the banner above it and what came back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext, gettext_lazy

from approvals.domain.canonical import JSON
from approvals.domain.inspection import InspectedText, inspect
from approvals.domain.states import CancelReason, State, UnknownReason
from approvals.models import Ticket
from approvals.presenters.sealed import Why
from approvals.presenters.words import CANCELLED_BECAUSE, STATE_MARKS, UNKNOWN_BECAUSE, byte_size

RESULT_WHOLE_BYTES: Final = 65_536
FOUND: Final = {
    True: gettext_lazy("A person found that it ran:"),
    False: gettext_lazy("A person found that it did not run:"),
    None: gettext_lazy("A person looked, and it cannot be told or it ran differently:"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeView:
    """The banner of a ticket on which no decision is wanted any more."""

    tone: str
    icon: str
    heading: str
    text: str
    words_label: str = ""
    words: InspectedText | None = None
    next_url: str = ""
    next_words: str = ""
    focus: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultView:
    """What the upstream answered, as it answered it."""

    heading: str
    size: str
    text: InspectedText | None
    purged: str = ""


def present_outcome(
    ticket: Ticket,
    *,
    reason: str,
    annotation: JSON,
    next_url: str,
    next_words: str,
    focus: bool,
) -> OutcomeView | None:
    """The banner, or None while people still decide."""
    state = State(ticket.state)
    if state is State.PENDING:
        return None
    heading, text = _sentences(ticket, state)
    mark = STATE_MARKS[state]
    label, words = (gettext("Reason:") if reason else ""), reason
    if isinstance(annotation, dict):
        ran = annotation.get("ran")
        label = str(FOUND[ran if isinstance(ran, bool) else None])
        words = str(annotation.get("evidence", ""))
    return OutcomeView(
        tone=mark.tone,
        icon=mark.icon,
        heading=heading,
        text=text,
        words_label=label,
        words=inspect(words) if words else None,
        next_url=next_url,
        next_words=next_words,
        focus=focus,
    )


def present_result(state: State, data: bytes | None, why: Why) -> ResultView | None:
    """The upstream's answer; None where there never was one."""
    if data is None and not why:
        return None
    heading = (
        gettext("What the upstream answered")
        if state is State.SUCCEEDED
        else gettext("The error it gave")
    )
    if state is State.OUTCOME_UNKNOWN:
        heading = gettext("What came back too late")
    if data is None:
        gone = gettext("It was removed when its retention ended.")
        broken = gettext(
            "Its seal is broken: it was changed in the database. Tell an administrator."
        )
        text = None
        purged, size = (
            (gone, gettext("Removed")) if why == "purged" else (broken, gettext("Unreadable"))
        )
    else:
        text = inspect(_readable(data), whole=len(data) <= RESULT_WHOLE_BYTES)
        purged, size = "", byte_size(len(data))
    return ResultView(heading=heading, size=size, text=text, purged=purged)


def _readable(data: bytes) -> str:
    """An MCP-shaped answer's text parts as they are, anything else as indented JSON."""
    try:
        value = json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")
    content = value.get("content") if isinstance(value, dict) else None
    if isinstance(content, list) and content and set(value) <= {"content", "isError"}:
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        if len(texts) == len(content) and all(isinstance(text, str) for text in texts):
            return "\n\n".join(str(text) for text in texts)
    return json.dumps(value, indent=2, ensure_ascii=False)


def _sentences(ticket: Ticket, state: State) -> tuple[str, str]:
    """Heading and explanation, both in our own words."""
    match state:
        case State.APPROVED:
            return gettext("Approved, not started yet"), gettext(
                "A worker takes it up within a second or two."
            )
        case State.CLAIMED:
            return gettext("Approved, starting"), gettext(
                "A worker holds it. Nothing has been sent yet."
            )
        case State.SENT if ticket.abort_requested_at is not None:
            return (
                gettext("Aborting"),
                gettext(
                    "It was already sent. The upstream is asked to stop;"
                    " whether it did, is not known."
                ),
            )
        case State.SENT:
            return gettext("Running"), gettext("It was sent. The upstream has not answered yet.")
        case State.SUCCEEDED:
            return gettext("Approved and run"), gettext("The upstream answered. {told}").format(
                told=_told(ticket)
            )
        case State.FAILED if ticket.sent_at is None:
            return gettext("Approved, but it could not be run"), gettext(
                "Nothing was sent to the upstream."
            )
        case State.FAILED:
            text = gettext("The upstream answered with an error. {told}").format(told=_told(ticket))
            return gettext("Approved and run, with an error"), text
        case State.REJECTED:
            return gettext("Rejected"), gettext("Nothing was sent. {told}").format(
                told=_told(ticket)
            )
        case State.EXPIRED if ticket.decided_at is not None:
            return gettext("Expired"), gettext(
                "It was approved, but did not run in time. Nothing was sent."
            )
        case State.EXPIRED:
            return gettext("Expired"), gettext("Nobody decided in time. Nothing was sent.")
        case State.CANCELLED:
            because = CANCELLED_BECAUSE[CancelReason(ticket.cancel_reason)]
            return gettext("Cancelled"), gettext("Nothing was sent: {because}.").format(
                because=because
            )
        case _:
            return _unknown(ticket)


def _told(ticket: Ticket) -> str:
    """Whether the agent knows already."""
    if ticket.delivered_at is not None:
        return gettext("The agent has been told.")
    return gettext("The agent is told as soon as it asks.")


def _unknown(ticket: Ticket) -> tuple[str, str]:
    because = UNKNOWN_BECAUSE[UnknownReason(ticket.unknown_reason)]
    if ticket.annotated_at is not None:
        return (
            gettext("It was not known whether this ran"),
            gettext(
                "It was sent once, and then {because}. A person has recorded what happened since."
            ).format(because=because),
        )
    text = gettext(
        "It was sent once, and then {because}. It will never be sent again. Please look at the"
        " place where it would have acted, and record what you find."
    ).format(because=because)
    return gettext("We do not know whether this ran"), text
