"""Standing permissions in words: what one would allow, what one has allowed, how each stands.

Names and values are the agent's: every one of them is inspected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from approvals.domain.canonical import JSON, canonical_bytes
from approvals.domain.inspection import InspectedText, inspect
from approvals.domain.inspection.arguments import read_canonical
from approvals.domain.pins import Terms, members
from approvals.domain.states import State
from approvals.models import Grant, Ticket
from approvals.presenters.calls import Call
from approvals.presenters.gists import calls_of
from approvals.presenters.sealed import open_bytes
from approvals.presenters.words import STATE_MARKS, Mark, span, until
from approvals.selectors.grants import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRow:
    """One argument: pinned to a value, or left open."""

    pointer: str
    path: InspectedText
    value: InspectedText
    is_open: bool
    opens: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCall:
    """A call of the last weeks, as a link."""

    url: str
    number: int
    mark: Mark
    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRow:
    """One permission as a list shows it."""

    url: str
    call: Call
    mark: Mark
    uses: str
    ends: datetime
    ends_words: str
    given_by: tuple[str, ...]
    given_at: datetime
    made_from: int
    made_from_url: str
    session: bool
    held_back: str
    revoked_at: datetime | None
    revoked_by: str
    revoke_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantPage:
    """One permission on its own page: its row, and what it pins as far as that can be shown."""

    row: GrantRow
    pins: tuple[PinRow, ...]
    purged: bool
    may_revoke: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantLink:
    """A permission that a ticket came by or gave."""

    url: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketGrants:
    """What a ticket's page says about permissions; `new_url` leads to giving one."""

    new_url: str = ""
    proposals: tuple[str, ...] = ()
    links: tuple[GrantLink, ...] = ()


def present_ticket_grants(
    ticket: Ticket,
    *,
    may_give: bool,
    opened_token: str,
    grants: Sequence[Grant],
    agreed: Sequence[tuple[str, Terms]],
) -> TicketGrants:
    """The permissions around one ticket; `agreed` are people's names with their terms."""
    new_url = ""
    if may_give:
        new_url = reverse("approvals:grant-new", args=[ticket.uid])
        if opened_token:
            new_url += "?" + urlencode({"opened": opened_token})
    by = gettext("Let through by a standing permission")
    made = gettext("A standing permission came of it")
    return TicketGrants(
        new_url=new_url,
        proposals=tuple(
            gettext("{name} agreed to {terms} as well.").format(
                name=name, terms=terms_in_words(terms)
            )
            for name, terms in agreed
        ),
        links=tuple(
            GrantLink(
                url=reverse("approvals:grant", args=[grant.pk]),
                words=by if grant.pk == ticket.grant_id else made,
            )
            for grant in grants
        ),
    )


def present_grants(standings: Sequence[Standing], *, now: datetime) -> tuple[GrantRow, ...]:
    """The rows of a list, in its order."""
    calls = calls_of([each.grant.made_from for each in standings])
    return tuple(_row(each, calls[each.grant.made_from_id], now) for each in standings)


def present_grant(standing: Standing, *, may_revoke: bool, now: datetime) -> GrantPage:
    """One permission as it stands, with what it pins."""
    made_from = standing.grant.made_from
    sealed, _ = open_bytes(made_from.arguments)
    arguments = read_canonical(sealed) if sealed is not None else None
    return GrantPage(
        row=_row(standing, calls_of([made_from])[made_from.pk], now),
        pins=pin_rows(arguments, tuple(standing.grant.pins["free"]), given=True),
        purged=arguments is None,
        may_revoke=may_revoke,
    )


def _row(standing: Standing, call: Call, now: datetime) -> GrantRow:
    grant = standing.grant
    return GrantRow(
        url=reverse("approvals:grant", args=[grant.pk]),
        call=call,
        mark=_mark(standing),
        uses=gettext("{uses} of {most}").format(uses=grant.uses, most=grant.max_uses),
        ends=grant.expires_at,
        ends_words=until(grant.expires_at, now) if standing.is_live else "",
        given_by=standing.agreed_by or (grant.granted_by.name,),
        given_at=grant.created_at,
        made_from=grant.made_from_id,
        made_from_url=reverse("approvals:ticket", args=[grant.made_from.uid]),
        session=bool(grant.pins["session"]),
        held_back=_held_back(standing),
        revoked_at=grant.revoked_at,
        revoked_by=grant.revoked_by.name if grant.revoked_by is not None else "",
        revoke_url=reverse("approvals:grant-revoke", args=[grant.pk]),
    )


def past_calls(tickets: Sequence[Ticket]) -> tuple[PastCall, ...]:
    """Tickets as links."""
    calls = calls_of(tickets)
    return tuple(
        PastCall(
            url=reverse("approvals:ticket", args=[ticket.uid]),
            number=ticket.pk,
            mark=STATE_MARKS[State(ticket.state)],
            call=calls[ticket.pk],
        )
        for ticket in tickets
    )


def pin_rows(arguments: JSON, free: Sequence[str], *, given: bool) -> tuple[PinRow, ...]:
    """Every member that can be left open; one inside an open member is open with it.

    `given` says that the permission stands already.
    """
    open_to_change = set(free)
    rows = []
    for member in members(arguments):
        is_open = any(
            member.pointer == pointer or member.pointer.startswith(f"{pointer}/")
            for pointer in open_to_change
        )
        if is_open and member.pointer not in open_to_change:
            continue
        nested = isinstance(member.value, dict) and bool(member.value)
        text = (
            member.value
            if isinstance(member.value, str)
            else canonical_bytes(member.value).decode()
        )
        rows.append(
            PinRow(
                pointer=member.pointer,
                path=inspect(member.pointer.removeprefix("/"), identifier_like=True),
                value=inspect(text),
                is_open=is_open,
                opens=_opens(nested=nested, given=given),
            )
        )
    return tuple(rows)


def _opens(*, nested: bool, given: bool) -> str:
    if given and nested:
        return gettext("May be anything at all, with everything inside it.")
    if given:
        return gettext("May be anything at all, or missing.")
    if nested:
        return gettext("May then be anything at all, with everything inside it.")
    return gettext("May then be anything at all, or missing.")


def terms_in_words(terms: Terms) -> str:
    """The terms in one sentence, the names of what is left open aside."""
    length = span(timedelta(seconds=terms.seconds))
    uses = ngettext("{number} more call", "{number} more calls", terms.max_uses).format(
        number=terms.max_uses
    )
    if terms.session_only:
        text = gettext("{uses} in this session, within {length}")
    else:
        text = gettext("{uses} of this agent, within {length}")
    return text.format(uses=uses, length=length)


def _held_back(standing: Standing) -> str:
    """Why a live permission lets nothing through for now."""
    if not standing.is_live:
        return ""
    if standing.lapsed:
        return gettext(
            "Held back: not everybody who agreed to it may still approve its calls, so people are"
            " asked about each."
        )
    if standing.held_back:
        return gettext(
            "Held back: a call that it let through has an unknown outcome. It works again when"
            " somebody has recorded what happened."
        )
    return ""


def _mark(standing: Standing) -> Mark:
    grant = standing.grant
    if grant.revoked_at is not None:
        return Mark("off", "minus", gettext("Revoked"))
    if _held_back(standing):
        return Mark("wait", "unknown", gettext("Held back"))
    if standing.is_live:
        return Mark("good", "seal", gettext("Live"))
    if grant.uses >= grant.max_uses:
        return Mark("off", "check", gettext("Used up"))
    return Mark("off", "clock", gettext("Expired"))
