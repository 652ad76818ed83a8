"""What a notice says to a person or a room, in their language and zone; plain and bounded.

Everything that an agent, an upstream or another person wrote goes through `outward`. The only
links are to our own pages: they carry no token, and opening them changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from django.conf import settings
from django.utils import formats, translation
from django.utils.translation import gettext, gettext_lazy, ngettext

from approvals import conf
from approvals.domain.locality import zone_of
from approvals.domain.outward import outward
from approvals.domain.states import State
from approvals.domain.telling import Kind
from approvals.models import Notice, Person, Ticket
from approvals.presenters.gists import calls_of
from approvals.presenters.words import RISK_MARKS, STATE_MARKS, figure, until
from approvals.services.tickets import ticket_path

LISTED: Final = 10  # lines of a digest

_HEADINGS: Final = {
    Kind.NEEDS_YOU: gettext_lazy("Ticket {number} waits for your decision"),
    Kind.REMINDER: gettext_lazy("Ticket {number} still waits: half of its time is over"),
    Kind.RETURNED: gettext_lazy("Ticket {number}, which you put away, waits for you again"),
    Kind.ESCALATED: gettext_lazy("Ticket {number} was passed on and waits for your decision"),
    Kind.HANDED: gettext_lazy("Ticket {number} was handed to you"),
    Kind.ASKED: gettext_lazy("A reviewer has a question about ticket {number}"),
    Kind.ANSWERED: gettext_lazy("Your question about ticket {number} was answered"),
    Kind.COMMENTED: gettext_lazy("There is a comment on ticket {number}"),
    Kind.ENDED: gettext_lazy("Ticket {number} is over: {state}"),
    Kind.UNKNOWN: gettext_lazy("The outcome of ticket {number} is unknown"),
    Kind.STOPPED: gettext_lazy("The kill switch was turned on"),
    Kind.RESUMED: gettext_lazy("Calls run again"),
    Kind.CREDENTIAL: gettext_lazy("A way to sign in to your account was changed"),
    Kind.TEST: gettext_lazy("This is a test"),
}
_MORE: Final = {
    Kind.UNKNOWN: gettext_lazy("It was sent, and no answer proves what happened. Please find out."),
    Kind.STOPPED: gettext_lazy("Nothing more is sent, and open tickets are cancelled."),
    Kind.CREDENTIAL: gettext_lazy("If that was not you, tell an administrator at once."),
    Kind.TEST: gettext_lazy("Messages for you arrive here."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. `neutral` names no agent, tool or person: it may pass through other hands."""

    title: str
    text: str
    neutral: str
    path: str
    number: int | None


def for_reader[T](person: Person | None, make: Callable[[], T]) -> T:
    """What `make` makes in the person's language; rooms read the installation's own."""
    language = person.language if person is not None else ""
    with translation.override(language or settings.LANGUAGE_CODE):
        return make()


def message_of(
    notices: Sequence[Notice], person: Person | None, *, detailed: bool, now: datetime
) -> Message:
    """One message about these notices, oldest first; what several say alike is said once."""
    apart = list({(each.kind, each.ticket_id, each.by_id): each for each in notices}.values())

    def make() -> Message:
        zone = zone_of(person.time_zone if person is not None else "")
        if len(apart) == 1:
            return _single(apart[0], zone, detailed=detailed, now=now)
        return _digest(apart, zone, now=now)

    return for_reader(person, make)


def event_of(notice: Notice, *, detailed: bool) -> dict[str, Any]:
    """The notice for a program: names and numbers, in English."""
    ticket = notice.ticket
    if ticket is None:
        return {"url": conf.public_url() + "/"}
    event: dict[str, Any] = {
        "ticket": ticket.pk,
        "id": str(ticket.uid),
        "url": _address(ticket),
        "state": ticket.state,
        "agent": outward(ticket.agent_name),
        "upstream": outward(ticket.upstream_name),
        "tool": outward(ticket.tool_name),
        "risk": ticket.risk,
        "team": ticket.team.slug,
        "groups": list(ticket.groups.order_by("slug").values_list("slug", flat=True)),
        "decide_by": ticket.approval_expires_at.isoformat(),
    }
    if detailed:
        event["arguments"] = _arguments(ticket)
    return event


def _single(notice: Notice, zone: tzinfo, *, detailed: bool, now: datetime) -> Message:
    ticket = notice.ticket
    heading = _heading(notice)
    lines = [heading + "."]
    if ticket is not None:
        lines += ["", *_facts(ticket, zone, detailed=detailed, now=now)]
    if notice.by is not None:
        lines.append(gettext("By: {name}").format(name=outward(notice.by.name)))
    if notice.kind in _MORE:
        lines.append(str(_MORE[Kind(notice.kind)]))
    path = ticket_path(ticket.uid) if ticket is not None else "/"
    lines += ["", conf.public_url() + path]
    return Message(
        title=f"Placet: {heading}",
        text="\n".join(lines),
        neutral=heading,
        path=_short(ticket),
        number=ticket.pk if ticket is not None else None,
    )


def _digest(notices: Sequence[Notice], zone: tzinfo, *, now: datetime) -> Message:
    calls = {notice.ticket_id for notice in notices if notice.ticket_id is not None}
    heading = (
        ngettext("News of {number} ticket", "News of {number} tickets", len(calls)).format(
            number=figure(len(calls))
        )
        if calls
        else gettext("News")
    )
    lines = [heading + ":", ""]
    for notice in notices[:LISTED]:
        lines.append(_heading(notice) + ".")
        if notice.ticket is not None:
            about = [_who(notice.ticket), *_deadline(notice.ticket, zone, now=now)]
            lines += [f"  {line}" for line in (*about, _address(notice.ticket))]
        elif notice.kind in _MORE:
            lines.append(f"  {_MORE[Kind(notice.kind)]}")
    if len(notices) > LISTED:
        more = len(notices) - LISTED
        lines.append(ngettext("And {number} more.", "And {number} more.", more).format(number=more))
    lines += ["", conf.public_url() + "/"]
    return Message(
        title=f"Placet: {heading}", text="\n".join(lines), neutral=heading, path="/", number=None
    )


def _heading(notice: Notice) -> str:
    ticket = notice.ticket
    state = STATE_MARKS[State(ticket.state)].word if ticket is not None else ""
    number = f"#{ticket.pk}" if ticket is not None else ""
    return str(_HEADINGS[Kind(notice.kind)]).format(number=number, state=state)


def _facts(ticket: Ticket, zone: tzinfo, *, detailed: bool, now: datetime) -> list[str]:
    facts = [gettext("Call: {call}").format(call=_who(ticket))]
    if detailed:
        facts.append(gettext("With: {arguments}").format(arguments=_arguments(ticket)))
    if ticket.state == State.PENDING:
        facts.append(gettext("Risk: {risk}").format(risk=RISK_MARKS[ticket.risk].word))
    return facts + _deadline(ticket, zone, now=now)


def _deadline(ticket: Ticket, zone: tzinfo, *, now: datetime) -> list[str]:
    """By when people have to decide, while they may."""
    if ticket.state != State.PENDING:
        return []
    deadline = ticket.approval_expires_at
    moment = formats.date_format(deadline.astimezone(zone), "j F Y, H:i")
    words = gettext("Decide by: {moment} ({zone}), {span}")
    return [words.format(moment=moment, zone=str(zone), span=until(deadline, now))]


def _who(ticket: Ticket) -> str:
    agent, upstream = outward(ticket.agent_name), outward(ticket.upstream_name)
    return f"{agent} \u2192 {upstream} / {outward(ticket.tool_name)}"


def _arguments(ticket: Ticket) -> str:
    """What the call likely acts on, and its first arguments."""
    call = calls_of([ticket])[ticket.pk]
    target = call.target.shown if call.target is not None else ""
    return outward(", ".join(part for part in (target, call.gist.shown) if part))


def _short(ticket: Ticket | None) -> str:
    """The same page by the number that people say aloud."""
    return "/" if ticket is None else f"/calls/{ticket.pk}/"


def _address(ticket: Ticket) -> str:
    return conf.public_url() + ticket_path(ticket.uid)
