"""For how long a person may put a ticket away: fixed choices, each before its deadline. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final

MORNING: Final = time(9)


class Choice(StrEnum):
    """Until when."""

    QUARTER = "quarter"  # in 15 minutes
    HOUR = "hour"  # in an hour
    HALF = "half"  # when half of the time that is left is over
    TOMORROW = "tomorrow"  # at nine in the person's own time zone


def choices(*, now: datetime, deadline: datetime, zone: tzinfo) -> dict[Choice, datetime]:
    """The moments that lie ahead of the deadline, each by its choice, the earliest first."""
    morning = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), MORNING, zone)
    offered = {
        Choice.QUARTER: now + timedelta(minutes=15),
        Choice.HOUR: now + timedelta(hours=1),
        Choice.HALF: now + (deadline - now) / 2,
        Choice.TOMORROW: morning,
    }
    ahead = {choice: at for choice, at in offered.items() if now < at < deadline}
    return dict(sorted(ahead.items(), key=lambda item: item[1]))
