"""States, reasons and spans of time in the words that people read. Knows no rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.utils.formats import number_format
from django.utils.translation import gettext, gettext_lazy, ngettext

from approvals.domain.states import CancelReason, State, UnknownReason
from approvals.domain.wording import Sentence

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


@dataclass(frozen=True, slots=True)
class Mark:
    """A shape, a word and a tone; never a tone alone."""

    tone: str
    icon: str
    word: str | StrPromise


STATE_MARKS: Final = {
    State.PENDING: Mark("wait", "clock", gettext_lazy("Waiting for approval")),
    State.APPROVED: Mark("good", "check", gettext_lazy("Approved")),
    State.CLAIMED: Mark("good", "turn", gettext_lazy("Starting")),
    State.SENT: Mark("wait", "turn", gettext_lazy("Running")),
    State.SUCCEEDED: Mark("good", "check", gettext_lazy("Succeeded")),
    State.FAILED: Mark("refused", "warn", gettext_lazy("Failed")),
    State.REJECTED: Mark("refused", "cross", gettext_lazy("Rejected")),
    State.EXPIRED: Mark("off", "clock", gettext_lazy("Expired")),
    State.CANCELLED: Mark("off", "minus", gettext_lazy("Cancelled")),
    State.OUTCOME_UNKNOWN: Mark("wait", "unknown", gettext_lazy("Outcome unknown")),
}

RISK_MARKS: Final = {
    "high": Mark("high", "high", gettext_lazy("High")),
    "medium": Mark("medium", "medium", gettext_lazy("Medium")),
    "low": Mark("low", "low", gettext_lazy("Low")),
}

RISK_WORDS: Final = {
    "high": gettext_lazy("High risk"),
    "medium": gettext_lazy("Medium risk"),
    "low": gettext_lazy("Low risk"),
}

CANCELLED_BECAUSE: Final = {
    CancelReason.WITHDRAWN: gettext_lazy("the agent withdrew its call"),
    CancelReason.AGENT_GONE: gettext_lazy("the agent went away and nobody waited any more"),
    CancelReason.OWNER: gettext_lazy("the agent's owner withdrew it"),
    CancelReason.OPERATOR: gettext_lazy("an administrator cancelled it"),
    CancelReason.KILL_SWITCH: gettext_lazy("the kill switch was turned on"),
    CancelReason.APPROVAL_REVOKED: gettext_lazy("its approval was revoked before it was sent"),
    CancelReason.GRANT_REVOKED: gettext_lazy("the standing permission behind it was revoked"),
    CancelReason.TOKEN_REVOKED: gettext_lazy("the agent's token was revoked"),
    CancelReason.DRIFT: gettext_lazy("the tool or its upstream changed after the call was made"),
    CancelReason.CANARY: gettext_lazy("it was a test that an administrator had seeded"),
    CancelReason.POLICY_DENIES: gettext_lazy("today's policy would not allow it"),
}

UNKNOWN_BECAUSE: Final = {
    UnknownReason.TIMEOUT: gettext_lazy("no answer came in time"),
    UnknownReason.EOF: gettext_lazy("the connection closed before an answer came"),
    UnknownReason.MALFORMED: gettext_lazy("the answer could not be read"),
    UnknownReason.OVERSIZE: gettext_lazy("the answer was larger than allowed"),
    UnknownReason.ABORTED: gettext_lazy("it was aborted while it ran"),
    UnknownReason.LEASE_LOST: gettext_lazy("the worker that ran it disappeared"),
}

SOON: Final = timedelta(minutes=20)
SAME_DAY: Final = timedelta(hours=12)  # beyond it an hour alone would mislead


def figure(number: int) -> str:
    """A whole number as the reader's language groups its digits."""
    return number_format(number, force_grouping=True)


def byte_size(number: int) -> str:
    """`1 byte`, `2,048 bytes`."""
    return ngettext("{number} byte", "{number} bytes", number).format(number=figure(number))


def approvals(number: int) -> str:
    """`1 approval`, `2 approvals`."""
    return ngettext("{number} approval", "{number} approvals", number).format(number=figure(number))


def missing_approvals(number: int, *, more: bool) -> str:
    """`2 approvals`, or `2 more approvals` where some were given already."""
    if not more:
        return approvals(number)
    return ngettext("{number} more approval", "{number} more approvals", number).format(
        number=figure(number)
    )


def script_words() -> dict[str, str]:
    """What the page's scripts say by themselves, with the places that they fill."""
    return {
        "new": gettext("{number} new"),
        "over": gettext("time is up"),
        "in": gettext("in {span}"),
        "s": gettext("{seconds} s"),
        "min": gettext("{minutes} min"),
        "h": gettext("{hours} h"),
        "h min": gettext("{hours} h {minutes} min"),
        "d": gettext("{days} d"),
        "d h": gettext("{days} d {hours} h"),
        "last minute": gettext("One minute left to decide."),
        "last five": gettext("Five minutes left to decide."),
    }


def any_of(names: Sequence[str]) -> str:
    """`security or operations`."""
    return gettext(" or ").join(names)


def told(text: str) -> str:
    """A sentence in the reader's language; any other text as it is."""
    if not isinstance(text, Sentence):
        return text
    template = ngettext(text.one, text.many, text.number) if text.many else gettext(text.one)
    return template.format(**{name: _part(value) for name, value in text.params.items()})


def _part(value: object) -> object:
    if isinstance(value, tuple):
        return "; ".join(str(_part(each)) for each in value)
    if isinstance(value, str):
        return told(value)
    return figure(value) if type(value) is int else value


def span(length: timedelta) -> str:
    """A length of time in at most two units, rounded down: `3 h 17 min`, `42 s`."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return gettext("{seconds} s").format(seconds=seconds)
    minutes = seconds // 60
    if minutes < 60:
        return gettext("{minutes} min").format(minutes=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        if not minutes:
            return gettext("{hours} h").format(hours=hours)
        return gettext("{hours} h {minutes} min").format(hours=hours, minutes=minutes)
    days, hours = divmod(hours, 24)
    if not hours:
        return gettext("{days} d").format(days=days)
    return gettext("{days} d {hours} h").format(days=days, hours=hours)


def until(moment: datetime, now: datetime) -> str:
    """`in 19 min`, or `time is up`."""
    if moment <= now:
        return gettext("time is up")
    return gettext("in {span}").format(span=span(moment - now))


def ago(moment: datetime, now: datetime) -> str:
    """`3 min ago`."""
    return gettext("{span} ago").format(span=span(now - moment))


def is_soon(moment: datetime, now: datetime) -> bool:
    """Whether a deadline deserves to be pointed out."""
    return moment - now <= SOON
