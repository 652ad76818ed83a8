"""What a call acts upon: the one value that says so best, by what its path is called.

A heading for people, and the name an approver types where a rule asks for that. Never a decision:
the table of arguments shows every value.
"""

from __future__ import annotations

import re
from typing import Final

from approvals.domain.inspection import ArgumentRow, ArgumentTable, one_line

TARGET_CHARS: Final = 80

# What the thing acted upon is usually called, the most telling word first.
_TARGET_WORDS: Final = (
    "branch", "tag", "ref", "recipient", "to", "target", "destination", "table", "email", "url",
    "host", "account", "path", "file", "filename", "name", "title", "id", "repo", "repository",
)  # fmt: skip
_TOKENS: Final = re.compile(r"[a-z0-9]+")


def target_of(table: ArgumentTable) -> str:
    """The value that says best what the call acts on, as it is shown; empty where none does."""
    row = target_row(table)
    return row.value.shown if row else ""


def target_row(table: ArgumentTable) -> ArgumentRow | None:
    """The argument whose value says best what the call acts on.

    The same whatever order the table is shown in: among equals the shortest path decides.
    """
    found: list[tuple[int, int, str, ArgumentRow]] = []
    for row in table:
        short = not row.cut and 0 < row.value.size <= TARGET_CHARS
        if row.type != "string" or not short or not row.value.identifier_like:
            continue
        tokens = set(_TOKENS.findall(row.pointer.rpartition("/")[2].lower()))
        rank = next((i for i, word in enumerate(_TARGET_WORDS) if word in tokens), None)
        if rank is not None:
            found.append((rank, len(row.pointer), row.pointer, row))
    return min(found)[-1] if found else None


def name_to_type(table: ArgumentTable, *, tool: str) -> str:
    """What an approver types where a rule asks for it: the target, or else the tool's name.

    As it is shown: a character that hides is typed as the label that stands for it.
    """
    return target_of(table) or one_line(tool, limit=len(tool) + 1)
