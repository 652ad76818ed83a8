"""The inbox in its three groups, and the list of what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from approvals.presenters.rows import Row, present_row
from approvals.presenters.words import any_of, figure
from approvals.selectors.inbox import Inbox, Listed


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
    """The whole inbox."""

    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the list of decided tickets was narrowed to."""

    outcome: str
    agent: str
    tool: str
    outcomes: tuple[tuple[str, str], ...]

    @property
    def any(self) -> bool:
        """Whether anything was narrowed at all."""
        return bool(self.outcome or self.agent or self.tool)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedPage:
    """One page of decided tickets."""

    rows: tuple[Row, ...]
    filters: Filters
    older: str
    newest: str
    empty_heading: str
    empty_text: str
    empty_url: str
    empty_action: str


def present_listed(listed: Listed, *, now: datetime) -> Row:
    """One row."""
    return present_row(
        listed.ticket, have=listed.standing.have, groups=any_of(listed.groups), now=now
    )


def present_inbox(lists: Inbox, *, now: datetime) -> InboxPage:
    """The inbox's three groups."""
    needs = tuple(present_listed(row, now=now) for row in lists.needs_you)
    others = tuple(present_listed(row, now=now) for row in lists.waiting_on_others)
    decided = tuple(present_listed(row, now=now) for row in lists.decided)
    return InboxPage(
        groups=(
            Group(
                id="needs",
                heading=gettext("Needs you"),
                words=_needs_words(len(needs), more=lists.more),
                first_column=gettext("Risk"),
                time_column=gettext("Deadline"),
                rows=needs,
                empty_heading=gettext("Nothing needs you now"),
                empty_text=gettext(
                    "When an agent makes a call that you are asked about, it appears here"
                    " by itself. You can leave this page open."
                ),
            ),
            Group(
                id="others",
                heading=gettext("Waiting on others"),
                words=ngettext(
                    "{number} open, you have voted or are not asked",
                    "{number} open, you have voted or are not asked",
                    len(others),
                ).format(number=figure(len(others))),
                first_column=gettext("Risk"),
                time_column=gettext("Deadline"),
                rows=others,
                empty_heading=gettext("Nothing waits for others"),
                empty_text=gettext(
                    "Calls that other reviewers are asked about stand here while they are"
                    " open, if you may see them."
                ),
            ),
            Group(
                id="decided",
                heading=gettext("Decided"),
                words=gettext("the last ones"),
                first_column=gettext("Outcome"),
                time_column=gettext("When"),
                rows=decided,
                empty_heading=gettext("Nothing was decided yet"),
                empty_text=gettext("What became of each call stands here after it was decided."),
                more_url=reverse("approvals:decided"),
                more_words=gettext("All decided tickets"),
            ),
        )
    )


def _needs_words(number: int, *, more: bool) -> str:
    words = ngettext(
        "{number} ticket, the first deadline first",
        "{number} tickets, the first deadline first",
        number,
    ).format(number=figure(number))
    return words + gettext(". More are open than are listed here") if more else words


def present_decided(
    listed: Sequence[Listed], *, filters: Filters, older: str, newest: str, now: datetime
) -> DecidedPage:
    """A page of decided tickets."""
    return DecidedPage(
        rows=tuple(present_listed(row, now=now) for row in listed),
        filters=filters,
        older=older,
        newest=newest,
        empty_heading=gettext("No ticket matches")
        if filters.any
        else gettext("Nothing was decided yet"),
        empty_text=gettext("Names have to be exact. Fewer filters show more.")
        if filters.any
        else gettext("What became of each call stands here after it was decided."),
        empty_url=reverse("approvals:decided") if filters.any else reverse("approvals:inbox"),
        empty_action=gettext("Show all") if filters.any else gettext("To the inbox"),
    )
