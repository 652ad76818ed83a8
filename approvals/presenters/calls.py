"""One call in one line: its tool, its likely target and what it carries.

The words are ours, the names are the agent's and the upstream's: every one of them is inspected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext

from approvals.domain.inspection import (
    ArgumentRow,
    ArgumentTable,
    InspectedText,
    inspect,
    one_line,
)
from approvals.domain.target import TARGET_CHARS, target_row
from approvals.presenters.arguments import LONG_BYTES, argument_table
from approvals.presenters.words import byte_size

MENTIONED: Final = 3
MENTION_CHARS: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call's names, fit to be shown. `target` is empty where nothing stands out."""

    agent: InspectedText
    upstream: InspectedText
    tool: InspectedText
    target: InspectedText | None
    gist: InspectedText  # the first few arguments in one line
    plain: str  # tool and target for titles and buttons' names


def call_of(
    *, agent: str, upstream: str, tool: str, table: ArgumentTable | None, instead: str = ""
) -> Call:
    """Present a call; without its arguments (purged, or `instead`) only the names remain."""
    acted_on = target_row(table) if table else None
    target = acted_on.value.shown if acted_on else ""
    plain = one_line(tool)
    return Call(
        agent=name(agent),
        upstream=name(upstream),
        tool=name(tool),
        target=acted_on.value if acted_on else None,
        gist=inspect(instead or gist_of(table, without=target), identifier_like=True),
        plain=gettext("{tool} on {target}").format(
            tool=plain, target=one_line(target, limit=TARGET_CHARS)
        )
        if target
        else plain,
    )


def name(text: str) -> InspectedText:
    """A name of something, with every lookalike pointed out."""
    return inspect(text, identifier_like=True)


def table_of(arguments: bytes | None, schema: object = None) -> ArgumentTable | None:
    """The argument table, or None when the arguments have been purged."""
    return None if arguments is None else argument_table(arguments, schema)


def gist_of(table: ArgumentTable | None, *, without: str = "") -> str:
    """The first few arguments as `path: value` but for the one named already, and how many more.

    Short values come first: they say more in one line than the start of a long one.
    """
    if table is None:
        return gettext("arguments purged")
    rows = [row for row in table if row.value.shown != without or not without]
    if not rows:
        return ""
    if len(rows) == 1 and rows[0].pointer == "":
        return gettext("no arguments")
    rows.sort(key=lambda row: row.value.size > LONG_BYTES)
    parts = [f"{row.pointer.removeprefix('/')}: {_mention(row)}" for row in rows[:MENTIONED]]
    if len(rows) > MENTIONED:
        parts.append(gettext("and {number} more").format(number=len(rows) - MENTIONED))
    return ", ".join(parts)


def _mention(row: ArgumentRow) -> str:
    if row.value.size > LONG_BYTES:
        return byte_size(row.value.size)
    return one_line(row.value.shown, limit=MENTION_CHARS) or gettext("empty")
