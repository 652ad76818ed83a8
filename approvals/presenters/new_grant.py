"""The page that gives a standing permission: its terms, and what they would have allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from approvals.domain.inspection.arguments import read_canonical
from approvals.domain.pins import Terms
from approvals.models import Ticket
from approvals.presenters.calls import Call
from approvals.presenters.gists import calls_of
from approvals.presenters.grants import PastCall, PinRow, past_calls, pin_rows, terms_in_words
from approvals.presenters.sealed import open_bytes
from approvals.presenters.words import span
from approvals.selectors.grants import DAYS, Past

HOUR: Final = 3600
LENGTHS: Final = (900, HOUR, 8 * HOUR, 24 * HOUR, 7 * 24 * HOUR, 30 * 24 * HOUR)
LENGTHS_OF_SESSIONS: Final = LENGTHS[:3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the permission would have let through."""

    sentence: str
    examples: tuple[PastCall, ...]
    rejected: tuple[PastCall, ...]
    warning: str
    confirm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """One length of time to choose."""

    seconds: int
    words: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrant:
    """The page on which an approval is given as more than one call's."""

    ticket_url: str
    number: int
    call: Call
    has_session: bool
    session_only: bool
    max_uses: int
    lengths: tuple[Length, ...]
    pins: tuple[PinRow, ...]
    summary: str
    preview: Preview
    proposed_by: tuple[str, ...]
    more_people: str
    seconds: int
    free: tuple[str, ...]


def present_new_grant(
    ticket: Ticket,
    *,
    terms: Terms,
    past: Past,
    has_session: bool,
    proposals: Sequence[str],
    others_needed: int,
) -> NewGrant:
    """The page for these terms on a ticket whose arguments can be read."""
    sealed, _ = open_bytes(ticket.arguments)
    offered = LENGTHS_OF_SESSIONS if terms.session_only else LENGTHS
    lengths = sorted({*offered, terms.seconds})
    return NewGrant(
        ticket_url=reverse("approvals:ticket", args=[ticket.uid]),
        number=ticket.pk,
        call=calls_of([ticket])[ticket.pk],
        has_session=has_session,
        session_only=terms.session_only,
        max_uses=terms.max_uses,
        lengths=tuple(
            Length(
                seconds=seconds,
                words=span(timedelta(seconds=seconds)),
                chosen=seconds == terms.seconds,
            )
            for seconds in lengths
        ),
        pins=pin_rows(
            read_canonical(sealed) if sealed is not None else None, terms.free, given=False
        ),
        summary=terms_in_words(terms),
        preview=_preview(past),
        proposed_by=tuple(proposals),
        more_people=_more_people(others_needed),
        seconds=terms.seconds,
        free=terms.free,
    )


def _preview(past: Past) -> Preview:
    covered = ngettext("{number} call", "{number} calls", past.covered).format(number=past.covered)
    if past.more:
        covered = gettext("at least {calls}").format(calls=covered)
    rejected = len(past.rejected)
    return Preview(
        sentence=gettext(
            "In the last {days} days it would have let through {calls}, of {looked_at} that this"
            " agent made to this tool and that were looked at."
        ).format(days=DAYS, calls=covered, looked_at=past.looked_at),
        examples=past_calls(past.examples),
        rejected=past_calls(past.rejected[:5]),
        warning=ngettext(
            "A person rejected {number} of them.", "People rejected {number} of them.", rejected
        ).format(number=rejected)
        if rejected
        else "",
        confirm=gettext("I know that calls like this were rejected, and want to allow them")
        if rejected
        else "",
    )


def _more_people(missing: int) -> str:
    if missing <= 0:
        return ""
    return ngettext(
        "{number} more person has to agree to the same terms. Who approves the call alone, or on"
        " other terms, gives no permission.",
        "{number} more people have to agree to the same terms. Who approves the call alone, or on"
        " other terms, gives no permission.",
        missing,
    ).format(number=missing)
