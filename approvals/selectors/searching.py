"""The history: every ticket that a person may see, narrowed, newest first, page by page.

A page looks along whichever index promises the fewest tickets: the person's own reasons to see
any, or one thing that was asked for. It never looks at more than LOOK tickets along each; where
that was not enough, it says how far back it looked and the next page goes on from there. So a page
costs the same whatever is asked for and however many tickets there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Q

from approvals.models import Ticket
from approvals.selectors.criteria import criteria_of
from approvals.selectors.listing import Listed, listed
from approvals.selectors.readers import Reviewer
from approvals.selectors.visibility import is_visible_to
from approvals.selectors.walks import along, ends_of, walks_of
from approvals.selectors.wanted import Wanted

PAGE: Final = 50
SLACK: Final = 1000  # tickets that may have opened in another order than they were numbered
NONE_YET: Final = 2**62  # above every key


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of a page's tickets, and the key that the next page needs.

    `looked_to`: the page is not full, because it has looked at enough as far as this number.
    `left_off`: a word stands for more names than were looked for.
    """

    keys: list[int]
    next_before: int | None = None
    looked_to: int | None = None
    left_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of the history."""

    rows: tuple[Listed, ...]
    page: Keys


def history(
    who: Reviewer,
    wanted: Wanted,
    *,
    before: int | None = None,
    limit: int = PAGE,
) -> Found:
    """A page of what this person may see of what is wanted; `before` is the page's key."""
    page = newest(who, wanted, before=before, limit=limit)
    return Found(rows=listed(page.keys, one_person=who.one_person), page=page)


def newest(
    who: Reviewer, wanted: Wanted, *also: Q, before: int | None = None, limit: int = PAGE
) -> Keys:
    """The newest of what is wanted that this person may see, before a key."""
    criteria = criteria_of(wanted, who)
    if criteria.nothing:
        return Keys(keys=[], left_off=criteria.left_off)
    low, below = _span(wanted, before)
    walks, narrowed = walks_of(who), criteria.walks
    condition = Q(criteria.condition, *also)
    my_end, end = ends_of(walks, narrowed, below=below)
    if my_end is not None and narrowed:
        walks, condition = narrowed, condition & is_visible_to(who)
    else:
        end = my_end
    lowest = max((bound for bound in (low, end) if bound is not None), default=None)
    keys = along(walks, condition, lowest=lowest, below=below, most=limit + 1)
    if len(keys) > limit:
        return Keys(keys=keys[:limit], next_before=keys[limit - 1], left_off=criteria.left_off)
    if end is not None and low is not None and end <= low:
        end = None  # all that is wanted was looked at
    return Keys(keys=keys, next_before=end, looked_to=end, left_off=criteria.left_off)


def _span(wanted: Wanted, before: int | None) -> tuple[int | None, int | None]:
    """Between which keys the wanted tickets are, as far as their times tell: from, and below."""
    opened = Ticket.objects.order_by("created_at").values_list("pk", flat=True)
    low, below = None, before
    if wanted.since is not None:
        first = opened.filter(created_at__gte=wanted.since).first()
        low = NONE_YET if first is None else max(0, first - SLACK)
    if wanted.until is not None:
        after = opened.filter(created_at__gte=wanted.until).first()
        if after is not None:
            below = after + SLACK if below is None else min(below, after + SLACK)
    return low, below
