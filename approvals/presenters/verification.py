"""A verification of the whole record in words: waiting, running, what it found, or broken off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext

from approvals.domain.inspection import InspectedText, inspect
from approvals.presenters.words import figure
from approvals.selectors.verifications import Newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The newest run. `tone` is assent, refuse or empty; `under_way`: there is more to come."""

    under_way: bool
    tone: str
    heading: str
    words: str
    breaks: tuple[InspectedText, ...]
    asked_by: str
    asked_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None


def present_verification(newest: Newest | None) -> Verified | None:
    """The newest run; None when nobody ever asked for one."""
    if newest is None:
        return None
    run = newest.run
    tone, words = "", ""
    shown: tuple[InspectedText, ...] = ()
    if newest.lost:
        tone, heading = "refuse", gettext("The verification was broken off")
        words = gettext("It says nothing about the record. Ask for another one.")
    elif run.begun_at is None:
        heading = gettext("A verification waits for a worker")
    elif not run.over:
        heading = gettext("The whole record is being verified")
        words = gettext("You may leave this page; what it finds stays here.")
    elif not run.breaks:
        tone, heading = "assent", gettext("Everything adds up")
        words = gettext(
            "Every row was replayed against its chain, and every chain against the signed"
            " checkpoints."
        )
    else:
        tone, heading = "refuse", _broken(run.breaks)
        shown = _shown(run.first, run.breaks)
    return Verified(
        under_way=not (run.over or newest.lost),
        tone=tone,
        heading=heading,
        words=words,
        breaks=shown,
        asked_by=run.asked_by.name,
        asked_at=run.asked_at,
        begun_at=run.begun_at,
        ended_at=run.ended_at,
    )


def _broken(breaks: int) -> str:
    if breaks == 1:
        return gettext("One row of the record does not add up")
    return gettext("{number} rows of the record do not add up").format(number=figure(breaks))


def _shown(first: list[str], breaks: int) -> tuple[InspectedText, ...]:
    shown = [inspect(line, identifier_like=True) for line in first]
    more = breaks - len(first)
    if more:
        shown.append(inspect(gettext("and {number} more").format(number=figure(more))))
    return tuple(shown)
