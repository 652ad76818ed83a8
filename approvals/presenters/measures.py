"""How people decide, as pictures first: bars whose lengths are shares of the longest.

The words are calm, and people stand in the order of their names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.utils.translation import gettext

from approvals.presenters.words import figure, span
from approvals.selectors.measures import QUICK_SECONDS, Measure, Measures

WIDTH: Final = 100.0
LEAST: Final = 0.75  # so that a small number is still seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One person's bar in one picture: its parts from the start, and the value in words."""

    name: str
    first: str
    second: str
    second_at: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One measure of everybody."""

    id: str
    heading: str
    text: str
    tone: str
    bars: tuple[Bar, ...]
    legend: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """The same numbers to read one by one."""

    name: str
    approved: str
    rejected: str
    median: str
    quick: str
    agreement: str
    tests: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuresPage:
    """The whole page."""

    pictures: tuple[Picture, ...]
    rows: tuple[TableRow, ...]
    more: bool


def present_measures(found: Measures) -> MeasuresPage:
    """Pictures and table of these numbers."""
    rows = found.rows
    return MeasuresPage(
        pictures=(_volume(rows), *_shares(rows), _times(rows)),
        rows=tuple(_row(row) for row in rows),
        more=found.more,
    )


def _volume(rows: Sequence[Measure]) -> Picture:
    most = max((row.votes for row in rows), default=0)
    return Picture(
        id="volume",
        heading=gettext("Decisions"),
        text=gettext("Votes on real calls, tests aside."),
        tone="volume",
        legend=(gettext("approved"), gettext("rejected")),
        bars=tuple(
            Bar(
                name=row.name,
                first=_length(row.approved, most),
                second=_length(row.rejected, most),
                second_at=_length(row.approved, most),
                words=gettext("{approved} approved, {rejected} rejected").format(
                    approved=figure(row.approved), rejected=figure(row.rejected)
                ),
            )
            for row in rows
        ),
    )


def _times(rows: Sequence[Measure]) -> Picture:
    longest = max((_seconds(row) for row in rows), default=0)
    return Picture(
        id="time",
        heading=gettext("Median time to a decision"),
        text=gettext("From when the ticket was opened, whether or not anybody was looking."),
        tone="plain",
        bars=tuple(_bar(row.name, _seconds(row), longest, _median(row)) for row in rows),
    )


def _shares(rows: Sequence[Measure]) -> tuple[Picture, ...]:
    def picture(
        name: str, heading: str, text: str, tone: str, share: Callable[[Measure], tuple[int, int]]
    ) -> Picture:
        bars = tuple(_bar(row.name, *share(row), _share(*share(row))) for row in rows)
        return Picture(id=name, heading=heading, text=text, tone=tone, bars=bars)

    return (
        picture(
            "quick",
            gettext("Approved within {seconds} seconds of seeing it").format(
                seconds=int(QUICK_SECONDS)
            ),
            gettext("Counted from when the page was last shown. A high share can mean routine."),
            "watch",
            lambda row: (row.quick, row.timed),
        ),
        picture(
            "agreement",
            gettext("Same as others"),
            gettext("Votes that match others' on the same ticket, or mostly on the same tool."),
            "plain",
            lambda row: (row.agreed, row.compared),
        ),
        picture(
            "tests",
            gettext("Tests decided rightly"),
            gettext("Tickets that an administrator had seeded."),
            "plain",
            lambda row: (row.noticed, row.tests),
        ),
    )


def _row(row: Measure) -> TableRow:
    return TableRow(
        name=row.name,
        approved=figure(row.approved),
        rejected=figure(row.rejected),
        median=_median(row),
        quick=_share(row.quick, row.timed),
        agreement=_share(row.agreed, row.compared),
        tests=_share(row.noticed, row.tests),
    )


def _seconds(row: Measure) -> int:
    """The median as its words say it: what is less than a second is 0 s, and no bar."""
    return int(row.median_seconds or 0)


def _median(row: Measure) -> str:
    if row.median_seconds is None:
        return gettext("none")
    return span(timedelta(seconds=row.median_seconds))


def _share(part: int, whole: int) -> str:
    if not whole:
        return gettext("none")
    return gettext("{part} of {whole}").format(part=figure(part), whole=figure(whole))


def _bar(name: str, part: float, whole: float, words: str) -> Bar:
    return Bar(name=name, first=_length(part, whole), second="0", second_at="0", words=words)


def _length(part: float, whole: float) -> str:
    if not whole or not part:
        return "0"
    return f"{max(LEAST, WIDTH * part / whole):.2f}"
