"""How people decide: numbers for each reviewer over some days. Reads only, and within a bound.

At most MOST votes are looked at, the newest; where there were more, the answer says so. Tests are
counted by themselves, never among the real calls.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final
from uuid import UUID

from approvals.models import Decision, database_now
from approvals.selectors.looks import shown_at

MOST: Final = 5000
QUICK_SECONDS: Final = 3.0
ENOUGH_OTHERS: Final = 3  # votes of others on a tool, before theirs is a habit to compare with
_SLACK: Final = timedelta(hours=1)  # between the clocks that make keys and the database's


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One reviewer's numbers. What could not be compared or timed is not counted in it.

    `median_seconds` runs from when the ticket was opened; `quick` are the approvals that came
    within QUICK_SECONDS of when the page was last shown, of `timed` ones.
    """

    person: UUID
    name: str
    approved: int
    rejected: int
    median_seconds: float | None
    timed: int
    quick: int
    compared: int
    agreed: int
    tests: int
    noticed: int

    @property
    def votes(self) -> int:
        """Real calls decided on."""
        return self.approved + self.rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Everybody's numbers by name; `more` says that older votes were left out."""

    rows: tuple[Measure, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vote:
    """One vote that stands."""

    person: UUID
    name: str
    verdict: str
    at: datetime
    shown: datetime | None
    ticket: int
    opened: datetime
    tool: tuple[UUID, str]
    right: str | None  # of a test


def measures(*, days: int) -> Measures:
    """The numbers of everybody who voted in the last `days`, in two queries."""
    now = database_now()
    since = now - timedelta(days=days)
    rows = list(
        Decision.objects.filter(pk__gte=_first_key(since - _SLACK), created_at__gte=since)
        .order_by("-pk")
        .values(
            "person_id", "person__name", "verdict", "created_at", "nonce", "ticket_id", "revision",
            "ticket__created_at", "ticket__upstream_id", "ticket__tool_name",
            "ticket__canary__right",
        )[: MOST + 1]
    )  # fmt: skip
    votes = _standing(rows[:MOST])
    real = [vote for vote in votes if vote.right is None]
    on_ticket: dict[int, list[_Vote]] = defaultdict(list)
    on_tool: dict[tuple[UUID, str], list[_Vote]] = defaultdict(list)
    for vote in real:
        on_ticket[vote.ticket].append(vote)
        on_tool[vote.tool].append(vote)
    by_person: dict[UUID, list[_Vote]] = defaultdict(list)
    for vote in votes:
        by_person[vote.person].append(vote)
    tallies = {tool: Counter((v.person, v.verdict) for v in many) for tool, many in on_tool.items()}
    totals = {tool: Counter(v.verdict for v in many) for tool, many in on_tool.items()}

    def others(vote: _Vote) -> str | None:
        """What others made of the same ticket, else what they mostly make of the same tool."""
        same = {v.verdict for v in on_ticket[vote.ticket] if v.person != vote.person}
        if same:
            return same.pop() if len(same) == 1 else None
        theirs = {
            verdict: totals[vote.tool][verdict] - tallies[vote.tool][vote.person, verdict]
            for verdict in ("approve", "reject")
        }
        if sum(theirs.values()) < ENOUGH_OTHERS or theirs["approve"] == theirs["reject"]:
            return None
        return max(theirs, key=lambda verdict: theirs[verdict])

    found = [
        _measure(mine, {v: others(v) for v in mine if v.right is None})
        for mine in by_person.values()
    ]
    return Measures(
        rows=tuple(sorted(found, key=lambda row: (row.name.casefold(), row.person))),
        more=len(rows) > MOST,
    )


def _measure(votes: Sequence[_Vote], others: dict[_Vote, str | None]) -> Measure:
    real = [vote for vote in votes if vote.right is None]
    tests = [vote for vote in votes if vote.right is not None]
    looks = [
        (vote.at - vote.shown).total_seconds()
        for vote in real
        if vote.verdict == "approve" and vote.shown is not None
    ]
    compared = {vote: theirs for vote, theirs in others.items() if theirs is not None}
    return Measure(
        person=votes[0].person,
        name=votes[0].name,
        approved=sum(vote.verdict == "approve" for vote in real),
        rejected=sum(vote.verdict == "reject" for vote in real),
        median_seconds=median((v.at - v.opened).total_seconds() for v in real) if real else None,
        timed=len(looks),
        quick=sum(seconds < QUICK_SECONDS for seconds in looks),
        compared=len(compared),
        agreed=sum(vote.verdict == theirs for vote, theirs in compared.items()),
        tests=len(tests),
        noticed=sum(vote.verdict == vote.right for vote in tests),
    )


def _standing(rows: Iterable[Mapping[str, Any]]) -> list[_Vote]:
    """The newest vote of each person on each revision, unless it was taken back."""
    seen: set[tuple[int, int, UUID]] = set()
    votes = []
    for row in rows:  # newest first
        key = (row["ticket_id"], row["revision"], row["person_id"])
        if key in seen:
            continue
        seen.add(key)
        if row["verdict"] != Decision.Verdict.WITHDRAW:
            votes.append(_vote(row))
    return votes


def _vote(row: Mapping[str, Any]) -> _Vote:
    return _Vote(
        person=row["person_id"],
        name=row["person__name"],
        verdict=row["verdict"],
        at=row["created_at"],
        shown=shown_at(row["nonce"]),
        ticket=row["ticket_id"],
        opened=row["ticket__created_at"],
        tool=(row["ticket__upstream_id"], row["ticket__tool_name"]),
        right=row["ticket__canary__right"],
    )


def _first_key(moment: datetime) -> UUID:
    """The smallest key (UUIDv7) that can have been made at `moment`: keys grow with time."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
