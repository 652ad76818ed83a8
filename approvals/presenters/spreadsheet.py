"""Tickets as lines of a table file that is safe to open in a spreadsheet.

What a spreadsheet would take for a formula gets an apostrophe before it, also behind a semicolon:
in many countries that is where spreadsheets part cells. Characters that nobody sees are spelled
out. The heading and the codes stay English: other programs read them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from django.urls import reverse

from approvals.domain.inspection import one_line
from approvals.presenters.calls import Call
from approvals.presenters.gists import calls_of
from approvals.selectors.listing import Listed

HEADING: Final = (
    "ticket", "opened", "state", "because", "risk", "agent", "upstream", "tool", "target",
    "arguments", "approvals", "needed", "decided", "ended", "link",
)  # fmt: skip
_FORMULA: Final = re.compile(r"(?:^|(?<=;))(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_STRIPPED: Final = ("\t", "\r", "\n")  # before a formula, by some spreadsheets
CELL_CHARS: Final = 1000


def heading_line() -> str:
    """The names of the columns."""
    return _lines([HEADING])


def lines_of(rows: Sequence[Listed], *, base: str) -> str:
    """One line for each ticket; `base` begins the links."""
    calls = calls_of([row.ticket for row in rows])
    return _lines(_cells(row, calls[row.ticket.pk], base) for row in rows)


def safe_cell(text: str) -> str:
    """A text that a spreadsheet shows as it is."""
    shown = one_line(text, limit=CELL_CHARS)
    safe = _FORMULA.sub("'", shown)
    return f"'{safe}" if text.startswith(_STRIPPED) else safe


def _cells(row: Listed, call: Call, base: str) -> tuple[str, ...]:
    ticket = row.ticket
    return (
        str(ticket.pk),
        _moment(ticket.created_at),
        ticket.state,
        ticket.cancel_reason,
        ticket.risk,
        safe_cell(ticket.agent_name),
        safe_cell(ticket.upstream_name),
        safe_cell(ticket.tool_name),
        safe_cell(call.target.shown if call.target else ""),
        safe_cell(call.gist.shown),
        str(row.standing.have),
        str(row.standing.need),
        _moment(ticket.decided_at),
        _moment(ticket.ended_at),
        base + reverse("approvals:ticket", args=[ticket.uid]),
    )


def _lines(rows: Iterable[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


def _moment(value: datetime | None) -> str:
    return "" if value is None else value.astimezone(UTC).isoformat(timespec="seconds")
