"""The inbox in its three groups, and the list of what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from approvals.presenters.rows import Row, present_row
from approvals.presenters.words import count
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
        listed.ticket, have=listed.standing.have, groups=" or ".join(listed.groups), now=now
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
                heading="Needs you",
                words=f"{count(len(needs), 'ticket')}, the first deadline first"
                + (". More are open than are listed here" if lists.more else ""),
                first_column="Risk",
                time_column="Deadline",
                rows=needs,
                empty_heading="Nothing needs you now",
                empty_text="When an agent makes a call that you are asked about, it appears here"
                " by itself. You can leave this page open.",
            ),
            Group(
                id="others",
                heading="Waiting on others",
                words=f"{len(others)} open, you have voted or are not asked",
                first_column="Risk",
                time_column="Deadline",
                rows=others,
                empty_heading="Nothing waits for others",
                empty_text="Calls that other reviewers are asked about stand here while they are"
                " open, if you may see them.",
            ),
            Group(
                id="decided",
                heading="Decided",
                words="the last ones",
                first_column="Outcome",
                time_column="When",
                rows=decided,
                empty_heading="Nothing was decided yet",
                empty_text="What became of each call stands here after it was decided.",
                more_url=reverse("approvals:decided"),
                more_words="All decided tickets",
            ),
        )
    )


def present_decided(
    listed: Sequence[Listed], *, filters: Filters, older: str, newest: str, now: datetime
) -> DecidedPage:
    """A page of decided tickets."""
    return DecidedPage(
        rows=tuple(present_listed(row, now=now) for row in listed),
        filters=filters,
        older=older,
        newest=newest,
        empty_heading="No ticket matches" if filters.any else "Nothing was decided yet",
        empty_text="Names have to be exact. Fewer filters show more."
        if filters.any
        else "What became of each call stands here after it was decided.",
        empty_url=reverse("approvals:decided") if filters.any else reverse("approvals:inbox"),
        empty_action="Show all" if filters.any else "To the inbox",
    )
