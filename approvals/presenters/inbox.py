"""The inbox in its three groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from approvals.presenters.bursts import BurstRow, PausedRow, present_burst
from approvals.presenters.calls import Call
from approvals.presenters.gists import calls_and, calls_of
from approvals.presenters.rows import Row, present_row, unticked
from approvals.presenters.words import any_of, figure
from approvals.selectors.bursts import samples
from approvals.selectors.inbox import Inbox, Part
from approvals.selectors.listing import Listed

NEEDS: Final = "needs"
OTHERS: Final = "others"
ASKS: Final = "asks"
HANDED: Final = "handed"
AWAY: Final = "away"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group of rows, or the words that stand in its place."""

    id: str
    heading: str
    words: str
    first_column: str
    time_column: str
    rows: tuple[Row, ...]
    empty_heading: str
    empty_text: str
    more_url: str = ""
    more_words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPage:
    """The whole inbox, or with `first_url` a page of one group that begins there."""

    groups: tuple[Group, ...]
    first_url: str = ""
    bursts: tuple[BurstRow, ...] = ()
    paused: tuple[PausedRow, ...] = ()

    @property
    def ticked_in(self) -> str:
        """The last group with rows to tick: the verb for several at once stands below it."""
        ticked = [group.id for group in self.groups if any(row.selectable for row in group.rows)]
        return ticked[-1] if ticked else ""


def present_rows(listed: Sequence[Listed], *, now: datetime) -> tuple[Row, ...]:
    """Rows of a list, in its order."""
    return _rows(listed, calls_of([row.ticket for row in listed]), now)


def _rows(listed: Sequence[Listed], calls: Mapping[int, Call], now: datetime) -> tuple[Row, ...]:
    return tuple(
        replace(
            present_row(
                row.ticket,
                calls[row.ticket.pk],
                have=row.standing.have,
                groups=any_of(row.groups),
                now=now,
            ),
            handed_by=row.handed_by,
            away_until=row.away_until,
        )
        for row in listed
    )


def present_inbox(
    lists: Inbox,
    *,
    now: datetime,
    paused: tuple[PausedRow, ...] = (),
) -> InboxPage:
    """The inbox's groups as they begin; those beside the three only where they hold something."""
    parts = (
        lists.asks_you,
        lists.handed_to_you,
        lists.needs_you.rows,
        lists.waiting_on_others.rows,
        lists.put_away,
        lists.decided,
    )
    listed = [row for part in parts for row in part]
    tickets = [row.ticket for row in listed]
    # One query for everything that is opened on the page.
    sealed = [key for burst in lists.bursts for key in samples(burst)]
    calls, arguments = calls_and(tickets, sealed)
    rows = iter(_rows(listed, calls, now))
    asks, handed, needs, others, away, decided = (tuple(islice(rows, len(part))) for part in parts)
    return InboxPage(
        groups=(
            *(beside(ASKS, asks) if asks else ()),
            *(beside(HANDED, handed) if handed else ()),
            _needs(
                needs, lists.needs_you.next_after, elsewhere=bool(asks or handed or lists.bursts)
            ),
            _others(others, lists.waiting_on_others.next_after, moving_on=lists.moving_on),
            *(beside(AWAY, away) if away else ()),
            _decided(decided),
        ),
        bursts=tuple(present_burst(burst, arguments) for burst in lists.bursts),
        paused=paused,
    )


def beside(group: str, rows: tuple[Row, ...]) -> tuple[Group]:
    """A group that stands in the inbox only while it holds something."""
    heading, words = {
        ASKS: (gettext("A reviewer asks you"), gettext("your answer is awaited on the ticket")),
        HANDED: (gettext("Handed to you"), gettext("another reviewer passed these on")),
        AWAY: (gettext("Put away by you"), gettext("they come back by themselves")),
    }[group]
    return (
        Group(
            id=group,
            heading=heading,
            words=words,
            first_column=gettext("Risk"),
            time_column=gettext("Deadline"),
            rows=rows if group == HANDED else tuple(map(unticked, rows)),
            empty_heading="",
            empty_text="",
        ),
    )


def present_part(group: str, part: Part, *, now: datetime) -> InboxPage:
    """One group's rows further on, alone on their page."""
    rows = present_rows(part.rows, now=now)
    present = _needs if group == NEEDS else _others
    return InboxPage(groups=(present(rows, part.next_after),), first_url=reverse("approvals:inbox"))


def _needs(rows: tuple[Row, ...], more: int | None, *, elsewhere: bool = False) -> Group:
    """`elsewhere`: other groups hold what needs the reader as well."""
    return Group(
        id=NEEDS,
        heading=gettext("Needs you"),
        words=gettext("the first deadline first")
        if more
        else ngettext(
            "{number} ticket, the first deadline first",
            "{number} tickets, the first deadline first",
            len(rows),
        ).format(number=figure(len(rows))),
        first_column=gettext("Risk"),
        time_column=gettext("Deadline"),
        rows=rows,
        empty_heading=gettext("Nothing else needs you now")
        if elsewhere
        else gettext("Nothing needs you now"),
        empty_text=gettext(
            "When an agent makes a call that you are asked about, it appears here by itself."
            " You can leave this page open."
        ),
        more_url=_page_url(NEEDS, more),
        more_words=gettext("More that need you"),
    )


def _others(rows: tuple[Row, ...], more: int | None, *, moving_on: bool = False) -> Group:
    """`moving_on`: more calls are on their way to their upstreams than these rows tell."""
    moving = _history_url("open") if moving_on else ""
    return Group(
        id=OTHERS,
        heading=gettext("Waiting on others"),
        words=gettext("you have voted or are not asked")
        if more or moving_on
        else ngettext(
            "{number} open, you have voted or are not asked",
            "{number} open, you have voted or are not asked",
            len(rows),
        ).format(number=figure(len(rows))),
        first_column=gettext("Risk"),
        time_column=gettext("Deadline"),
        rows=tuple(map(unticked, rows)),
        empty_heading=gettext("Nothing waits for others"),
        empty_text=gettext(
            "Calls that other reviewers are asked about stand here while they are open,"
            " if you may see them."
        ),
        more_url=_page_url(OTHERS, more) or moving,
        more_words=gettext("More that wait for others"),
    )


def _decided(rows: tuple[Row, ...]) -> Group:
    return Group(
        id="decided",
        heading=gettext("Decided"),
        words=gettext("the last ones"),
        first_column=gettext("Outcome"),
        time_column=gettext("When"),
        rows=rows,
        empty_heading=gettext("Nothing was decided yet"),
        empty_text=gettext("What became of each call stands here after it was decided."),
        more_url=_history_url("over") if rows else "",
        more_words=gettext("All decided tickets"),
    )


def _history_url(state: str) -> str:
    return f"{reverse('approvals:history')}?{urlencode({'state': state})}"


def _page_url(group: str, more: int | None) -> str:
    query = urlencode({"group": group, "after": more})
    return f"{reverse('approvals:inbox')}?{query}" if more is not None else ""
