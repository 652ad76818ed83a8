"""What the addresses of lists carry: keys, dates, words; whatever else stands there is nothing."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from django.utils import timezone

MOST_KEY: Final = 2**63 - 1
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 9000


def key_in(text: str) -> int | None:
    """A row's number, such as a ticket's; None for anything else."""
    if not (text.isascii() and text.isdigit()):
        return None
    return min(int(text[:19]), MOST_KEY)


def uuid_in(text: str) -> UUID | None:
    """A key such as a permission's; None for anything else."""
    try:
        return UUID(text)
    except ValueError:
        return None


def words_in(text: str, *, most: int) -> str:
    """Words to look for, without what no name holds and no database takes."""
    return "".join(c for c in text[:most] if c != "\0" and not "\ud800" <= c <= "\udfff").strip()


def day_in(text: str) -> date | None:
    """A day such as 2026-11-22; None for anything else."""
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
    return day if day is not None and FIRST_YEAR <= day.year <= LAST_YEAR else None


def start_of(day: date, *, days_later: int = 0) -> datetime:
    """When a day begins where the reader is."""
    midnight = datetime.combine(day + timedelta(days=days_later), time())
    return midnight.replace(tzinfo=timezone.get_current_timezone())
