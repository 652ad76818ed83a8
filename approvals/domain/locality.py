"""A person's clock: names of time zones and the zones behind them. Pure."""

from __future__ import annotations

from datetime import UTC, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_AREAS: Final = (
    "Africa/", "America/", "Antarctica/", "Arctic/", "Asia/", "Atlantic/", "Australia/",
    "Europe/", "Indian/", "Pacific/",
)  # fmt: skip


@cache
def zone_names() -> tuple[str, ...]:
    """The zones that may be chosen, by name; only UTC where the machine knows no others."""
    return ("UTC", *sorted(name for name in available_timezones() if name.startswith(_AREAS)))


def zone_of(name: str) -> tzinfo:
    """The zone of that name; UTC for an empty or unknown one."""
    if not name or name not in zone_names():
        return UTC
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return UTC
