"""Who is told when: kinds of notices, quiet hours, digests, rotations, and when to try again.

Pure: knows moments, zones and people's keys, neither rows nor channels.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final
from uuid import UUID


class Kind(StrEnum):
    """What somebody is told. Each member's comment says whom it concerns."""

    NEEDS_YOU = "needs_you"  # everybody whose vote is awaited
    REMINDER = "reminder"  # the same, when half of the time is over
    RETURNED = "returned"  # whoever had put the ticket away until now
    ESCALATED = "escalated"  # the same, and the groups that are asked from now on
    HANDED = "handed"  # whoever a reviewer handed the ticket to
    ASKED = "asked"  # whoever a reviewer asks a question
    ANSWERED = "answered"  # whoever asked it
    COMMENTED = "commented"  # whoever a comment concerns
    ENDED = "ended"  # the agent's owner and those who voted, if they want
    UNKNOWN = "unknown"  # the owner, and whoever may find out what happened
    STOPPED = "stopped"  # admins and reviewers: the kill switch is on
    RESUMED = "resumed"  # the same people: it is off again
    CREDENTIAL = "credential"  # the person whose way to sign in was added or removed
    TEST = "test"  # whoever pressed the test button


# What the people of a ticket's groups are told only while their vote is awaited.
AWAITING: Final = frozenset({Kind.NEEDS_YOU, Kind.REMINDER, Kind.ESCALATED})
# What anybody is told only while their vote is awaited.
VOTE_WANTED: Final = AWAITING | {Kind.RETURNED}
# What a person may choose not to hear; the rest is always told.
OPTIONAL: Final = (
    Kind.REMINDER,
    Kind.RETURNED,
    Kind.ENDED,
    Kind.UNKNOWN,
    Kind.STOPPED,
    Kind.COMMENTED,
)
SILENT_AT_FIRST: Final = frozenset({Kind.ENDED, Kind.COMMENTED})
# What waits for nobody's morning and no digest.
AT_ONCE: Final = frozenset({Kind.CREDENTIAL, Kind.TEST})

RETRY_AFTER: Final = (10, 60, 300, 900, 3600)  # seconds; then it has failed
MIN_DIGEST: Final = 5  # minutes
MAX_DIGEST: Final = 24 * 60
MAX_HEAD_START: Final = 24 * 60  # minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """When a person wants to hear of things. Equal ends of the quiet hours mean none."""

    zone: tzinfo
    quiet_from: time | None = None
    quiet_until: time | None = None
    digest_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """When to tell; `urgent`: only by a channel that may break the quiet."""

    at: datetime
    urgent: bool = False


def when_to_tell(kind: Kind, habits: Habits, *, now: datetime, deadline: datetime | None) -> Moment:
    """When a person is told of something that happened now.

    Quiet hours hold it until they end, a digest until its next turn, unless the deadline comes
    first: quiet hours are then broken by urgent channels alone, and no digest waits.
    """
    if kind in AT_ONCE:
        return Moment(now)
    quiet_end = end_of_quiet(habits, now)
    if quiet_end is not None:
        if deadline is not None and deadline <= quiet_end:
            return Moment(now, urgent=True)
        return Moment(quiet_end)
    if habits.digest_minutes:
        turn = _next_turn(now, habits.digest_minutes)
        if deadline is None or turn < deadline:
            quiet_end = end_of_quiet(habits, turn)
            return Moment(turn if quiet_end is None else quiet_end)
    return Moment(now)


def end_of_quiet(habits: Habits, now: datetime) -> datetime | None:
    """When the quiet hours that `now` lies in end; None while it is not quiet."""
    start, end = habits.quiet_from, habits.quiet_until
    if start is None or end is None or start == end:
        return None
    local = now.astimezone(habits.zone)
    clock = local.time()
    if start < end:
        quiet, day = start <= clock < end, local.date()
    else:
        quiet = clock >= start or clock < end
        day = local.date() + timedelta(days=1 if clock >= start else 0)
    if not quiet:
        return None
    return datetime.combine(day, end, tzinfo=habits.zone).astimezone(now.tzinfo)


def _next_turn(now: datetime, minutes: int) -> datetime:
    """The next moment that is a multiple of so many minutes."""
    length = minutes * 60
    return datetime.fromtimestamp((now.timestamp() // length + 1) * length, tz=now.tzinfo)


def half_time(opened: datetime, deadline: datetime) -> datetime:
    """When half of the time to decide is over."""
    return opened + (deadline - opened) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifts:
    """A rotation: its people in turn, each for so many days from the first day on.

    A turn begins at `hands_over` in the rotation's own zone, whatever the clock did that night.
    """

    people: tuple[UUID, ...]
    first_day: date
    hands_over: time
    days: int
    zone: tzinfo

    def on_call(self, now: datetime, *, away: Collection[UUID] = ()) -> UUID | None:
        """Whose turn it is; the next in turn stands in for whoever is away."""
        if not self.people:
            return None
        local = now.astimezone(self.zone)
        day = local.date() - timedelta(days=local.time() < self.hands_over)
        turn = (day - self.first_day).days // self.days
        for later in range(len(self.people)):
            person = self.people[(turn + later) % len(self.people)]
            if person not in away:
                return person
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchmen:
    """A group that is asked: its people, who of them is on call, and their head start."""

    people: frozenset[UUID]
    on_call: UUID | None = None
    head_start: timedelta = timedelta()


def head_starts(groups: Sequence[Watchmen], *, remaining: timedelta) -> dict[UUID, timedelta]:
    """How long after those on call each person is told.

    Who is in several groups is told when the first of them would tell. A group of which nobody is
    on call tells all its people at once, and no head start takes more than half of the time that
    remains.
    """
    waits: dict[UUID, timedelta] = {}
    for group in groups:
        longest = min(group.head_start, remaining / 2) if group.on_call else timedelta()
        for person in group.people:
            wait = timedelta() if person == group.on_call else longest
            waits[person] = min(wait, waits.get(person, wait))
    return waits


def try_again_after(attempts: int) -> int | None:
    """Seconds until the next attempt after so many failed; None: no more."""
    return RETRY_AFTER[attempts - 1] if attempts <= len(RETRY_AFTER) else None
